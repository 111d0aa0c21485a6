-- One row per listener ('' is the panel) and period from the first to the last play.
--
-- Zero where nothing was played.
{{ config(materialized='incremental', incremental_strategy='touched_series') }}
with

listening as (

    select * from {{ ref('int_listening_periods') }}

),

periods as (

    select * from {{ ref('int_periods') }}

),

touched_series as (

    select * from {{ ref('int_touched_series') }}

),

spans as (

    select
        listener_id,
        period,
        min(period_start) as first_period_start,
        max(period_start) as last_period_start

    from listening

    where period in ('day', 'week', 'month', 'year')

    group by listener_id, period

),

{% if is_partial_build() %}
-- A changed period changes itself, the zeros up to the next, and the year after it.
series as (

    select
        spans.listener_id,
        spans.period,
        spans.first_period_start,
        greatest(
            spans.first_period_start, touched_series.period_start
        ) as from_period_start,
        spans.last_period_start

    from spans

    inner join touched_series
        on
            spans.listener_id = touched_series.listener_id
            and spans.period = touched_series.period

),
{% else %}
series as (

    select
        listener_id,
        period,
        first_period_start,
        first_period_start as from_period_start,
        last_period_start

    from spans

),
{% endif %}

-- A week is compared with the one 52 weeks before, 29 February with 28 February.
compared as (

    select
        series.listener_id,
        series.period,
        periods.period_start,
        series.first_period_start,
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

counted as (

    select
        compared.listener_id,
        compared.period,
        compared.period_start,
        coalesce(listening.scrobbles, 0) as scrobbles,
        coalesce(listening.tracks, 0) as tracks,
        coalesce(listening.artists, 0) as artists,
        coalesce(listening.listeners, 0) as active_listeners,
        coalesce(listening.listening_seconds, 0) as listening_seconds,
        case
            when compared.previous_year_start >= compared.first_period_start
                then coalesce(previous_year.scrobbles, 0)
        end as previous_year_scrobbles

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

),

final as (

    select
        listener_id,
        period,
        period_start,
        scrobbles,
        tracks,
        artists,
        active_listeners,
        listening_seconds,
        previous_year_scrobbles,
        100 * {{ ratio(
            '(scrobbles - previous_year_scrobbles)', 'previous_year_scrobbles'
        ) }} as change_pct

    from counted

)

select * from final
