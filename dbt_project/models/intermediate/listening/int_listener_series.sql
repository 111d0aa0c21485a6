-- One row per listener ('' is the panel) and period from the first to the last play.
--
-- Zero where nothing was played, but for gaps of more than var longest_gap_days: a
-- single play with a wrong date does not make years of nothing.
{{ config(materialized='incremental', incremental_strategy='touched_series') }}
with

listening as (

    select * from {{ ref('int_listening_periods') }}

    where period in ('day', 'week', 'month', 'year')

),

periods as (

    select * from {{ ref('int_periods') }}

),

followed as (

    select
        listener_id,
        period,
        period_start,
        min(first_scrobbled_date) over (
            partition by listener_id, period
        ) as first_scrobbled_date,
        case
            when
                {{ days_between(
                    'lag(period_start) over (
                        partition by listener_id, period order by period_start
                    )',
                    'period_start'
                ) }} <= {{ var('longest_gap_days') }}
                then 0
            else 1
        end as starts_stretch

    from listening

),

stretches as (

    select
        listener_id,
        period,
        period_start,
        first_scrobbled_date,
        sum(starts_stretch) over (
            partition by listener_id, period
            order by period_start
            rows between unbounded preceding and current row
        ) as stretch

    from followed

),

spans as (

    select
        listener_id,
        period,
        stretch,
        min(period_start) as from_period_start,
        max(period_start) as last_period_start,
        min(first_scrobbled_date) as first_scrobbled_date

    from stretches

    group by listener_id, period, stretch

),

{% if is_partial_build() %}
-- A changed period changes itself, the zeros up to the next, and the year after it.
series as (

    select
        spans.listener_id,
        spans.period,
        greatest(
            spans.from_period_start, touched_series.period_start
        ) as from_period_start,
        spans.last_period_start,
        spans.first_scrobbled_date

    from spans

    inner join {{ ref('int_touched_series') }} as touched_series
        on
            spans.listener_id = touched_series.listener_id
            and spans.period = touched_series.period

),
{% else %}
series as (

    select
        listener_id,
        period,
        from_period_start,
        last_period_start,
        first_scrobbled_date

    from spans

),
{% endif %}

-- A week is compared with the one 52 weeks before, 29 February with 28 February.
compared as (

    select
        series.listener_id,
        series.period,
        periods.period_start,
        series.first_scrobbled_date,
        case
            when series.period = 'week'
                then {{ add_days('periods.period_start', -364) }}
            else cast(periods.period_start - interval '1 year' as date)
        end as previous_year_start

    from series

    inner join periods
        on
            series.period = periods.period
            and series.from_period_start <= periods.period_start
            and series.last_period_start >= periods.period_start

),

-- A period that began before the first play is cut, and nothing to compare with.
final as (

    select
        compared.listener_id,
        compared.period,
        compared.period_start,
        compared.first_scrobbled_date > compared.period_start as is_cut,
        {%- for column, name in [
            ('scrobbles', 'scrobbles'),
            ('tracks', 'tracks'),
            ('artists', 'artists'),
            ('listeners', 'active_listeners'),
            ('listening_seconds', 'listening_seconds'),
            ('scrobbles_clean', 'scrobbles_clean'),
            ('tracks_clean', 'tracks_clean'),
            ('artists_clean', 'artists_clean'),
            ('listeners_clean', 'active_listeners_clean'),
            ('listening_seconds_clean', 'listening_seconds_clean'),
        ] %}
        coalesce(listening.{{ column }}, 0) as {{ name }},
        {%- endfor %}
        {%- for column in ['scrobbles', 'scrobbles_clean'] %}
        case
            when compared.previous_year_start >= compared.first_scrobbled_date
                then coalesce(previous_year.{{ column }}, 0)
        end as previous_year_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}

    from compared

    left join listening
        on
            compared.listener_id = listening.listener_id
            and compared.period = listening.period
            and compared.period_start = listening.period_start

    left join listening as previous_year
        on
            compared.listener_id = previous_year.listener_id
            and compared.period = previous_year.period
            and compared.previous_year_start = previous_year.period_start

)

select * from final
