-- One row per listener ('' is the whole panel) and period with at least one scrobble.
--
-- Counts of different things do not add up over parts: every period's are counted
-- anew from what was played in its months (in days and weeks, from the scrobbles
-- themselves), but only where new loads touch it. Everything else is summed from days.
{% set panel_periods = [
    'day', 'week', 'month', 'quarter', 'half_year', 'year', 'all_time'
] %}
{% set listener_periods = ['week', 'month', 'year'] %}
{% set kinds = ['track', 'artist', 'album'] %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_before_insert(touched_listening_periods()) }}"
    )
}}

with

-- Days and weeks are counted from these.
scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

    where 1 = 1 {{ and_touched_bounds('scrobbled_date', 'week') }}

),

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

months as (

    select * from {{ ref('int_listener_months') }}

    where 1 = 1 {{ and_touched_bounds('month_start', 'year') }}

),

totals as (

    select * from {{ ref('int_listener_totals') }}

),

{% for scope, periods in [('panel', panel_periods), ('listener', listener_periods)] %}
{% set key = '' if scope == 'panel' else 'listener_id, ' %}
{% for period in periods %}
{% set is_short = period in ['day', 'week'] %}
{% set day = 'scrobbled_date' if is_short else 'month_start' %}
{% set counted_from = {
    'day': 'scrobbles', 'week': 'scrobbles', 'all_time': 'totals'
}.get(period, 'months') %}
{{ scope }}_{{ period }}_sums as (

    select
        {{ key }}
        {{ listening_period_start(period, 'scrobbled_date') }} as period_start,
        cast(count(distinct listener_id) as bigint) as listeners,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(scrobbles_without_duration) as bigint) as scrobbles_without_duration,
        min(scrobbled_date) as first_scrobbled_date,
        max(scrobbled_date) as last_scrobbled_date

    from listener_days

    where
        1 = 1
        {% if scope == 'panel' %}
        {{ and_touched_by_anybody(period, 'scrobbled_date') }}
        {% else %}
        {{ and_touched(period, 'scrobbled_date', 'listener_id') }}
        {% endif %}

    group by {{ key }} {{ listening_period_start(period, 'scrobbled_date') }}

),

{{ scope }}_{{ period }}_kinds as (

    select
        {{ key }}
        {{ listening_period_start(period, day) }} as period_start,
        {% for kind in kinds %}
        cast(
            {% if is_short %}
            count(distinct {{ kind }}_id)
            {% else %}
            count(distinct entity_id) filter (where entity_type = '{{ kind }}')
            {% endif %}
            as bigint
        ) as {{ kind }}s {{- ',' if not loop.last }}
        {% endfor %}

    from {{ counted_from }}

    where
        1 = 1
        {% if scope == 'panel' %}
        {{ and_touched_by_anybody(period, day) }}
        {% else %}
        {{ and_touched(period, day, 'listener_id') }}
        {% endif %}

    group by {{ key }} {{ listening_period_start(period, day) }}

),

{% endfor %}
{% endfor %}
final as (

    select
        listener_id,
        cast('day' as text) as period,
        scrobbled_date as period_start,
        scrobbles,
        tracks,
        artists,
        cast(null as bigint) as albums,
        cast(1 as bigint) as listeners,
        listening_seconds,
        scrobbles_without_duration,
        scrobbled_date as first_scrobbled_date,
        scrobbled_date as last_scrobbled_date

    from listener_days

    where
        1 = 1
        {{ and_touched('day', 'scrobbled_date', 'listener_id') }}

{% for scope, periods in [('panel', panel_periods), ('listener', listener_periods)] %}
{% for period in periods %}
    union all

    select
        {{ 'sums.listener_id' if scope == 'listener' else "cast('' as text)" }}
            as listener_id,
        cast('{{ period }}' as text) as period,
        sums.period_start,
        sums.scrobbles,
        kinds.tracks,
        kinds.artists,
        {{ 'kinds.albums' if scope == 'panel' else 'cast(null as bigint)' }} as albums,
        sums.listeners,
        sums.listening_seconds,
        sums.scrobbles_without_duration,
        sums.first_scrobbled_date,
        sums.last_scrobbled_date

    from {{ scope }}_{{ period }}_sums as sums

    left join {{ scope }}_{{ period }}_kinds as kinds
        on
            sums.period_start = kinds.period_start
            {{ 'and sums.listener_id = kinds.listener_id' if scope == 'listener' }}

{% endfor %}
{% endfor %}
)

select * from final
