-- One row per listener ('' is the panel) and period from the first to the last play.
--
-- Zero where nothing was played.
{% set periods = {
    'day': '1 day', 'week': '7 days', 'month': '1 month', 'year': '1 year'
} %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_before_insert(from_first_touched_period()) }}"
    )
}}

with

listening as (

    select * from {{ ref('int_listening_periods') }}

),

{% if is_partial_build() %}
touched as (

    select * from {{ ref('int_first_touched_periods') }}

),

{% endif %}
spans as (

    select
        listening.listener_id,
        listening.period,
        min(listening.period_start) as first_period_start,
        max(listening.period_start) as last_period_start

    from listening

    where listening.period in ('day', 'week', 'month', 'year')

    group by listening.listener_id, listening.period

),

-- A touched period changes itself, the zeros up to the next, and the year after it.
stale_spans as (

    select
        spans.listener_id,
        spans.period,
        {% if is_partial_build() %}
        greatest(
            spans.first_period_start, touched.period_start
        ) as from_period_start,
        {% else %}
        spans.first_period_start as from_period_start,
        {% endif %}
        spans.last_period_start

    from spans

    {% if is_partial_build() %}
    inner join touched
        on
            spans.listener_id = touched.listener_id
            and spans.period = touched.period
    {% endif %}

),

slots as (

{% for period, length in periods.items() %}
    select
        listener_id,
        period,
        cast(
            {{ each_period('from_period_start', 'last_period_start', length) }} as date
        ) as period_start

    from stale_spans

    where period = '{{ period }}'

    {{ 'union all' if not loop.last }}

{% endfor %}
),

-- A week is compared with the one 52 weeks before, 29 February with 28 February.
compared as (

    select
        listener_id,
        period,
        period_start,
        case
            when period = 'week' then {{ add_days('period_start', -364) }}
            else cast(period_start - interval '1 year' as date)
        end as previous_year_start

    from slots

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
            when compared.previous_year_start >= spans.first_period_start
                then coalesce(previous_year.scrobbles, 0)
        end as previous_year_scrobbles

    from compared

    inner join spans
        on
            compared.listener_id = spans.listener_id
            and compared.period = spans.period

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
