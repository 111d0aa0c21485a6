-- One row per listener ('' is the whole panel) and period with at least one scrobble.
--
-- Counts of different things do not add up over parts, so every period is counted from
-- the scrobbles themselves; only the periods that new loads touch are counted again.
{% set panel_periods = [
    'day', 'week', 'month', 'quarter', 'half_year', 'year', 'all_time'
] %}
{% set listener_periods = ['week', 'month', 'year'] %}
{% set measures %}
        cast(count(*) as bigint) as scrobbles,
        cast(count(distinct track_id) as bigint) as tracks,
        cast(count(distinct artist_id) as bigint) as artists,
        cast(sum({{ listening_seconds() }}) as bigint) as listening_seconds,
        cast(
            count(*) filter (where duration_seconds is null) as bigint
        ) as scrobbles_without_duration,
        min(scrobbled_date) as first_scrobbled_date,
        max(scrobbled_date) as last_scrobbled_date
{%- endset %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_before_insert(touched_listening_periods()) }}"
    )
}}

with

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

{% for period in panel_periods %}
panel_{{ period }}s as (

    select
        {{ listening_period_start(period, 'scrobbled_date') }} as period_start,
        cast(count(distinct album_id) as bigint) as albums,
        cast(count(distinct listener_id) as bigint) as listeners,
{{ measures }}

    from scrobbles

    where
        1 = 1
        {{ and_touched_by_anybody(period, 'scrobbled_date') }}

    group by {{ listening_period_start(period, 'scrobbled_date') }}

),

{% endfor %}
{% for period in listener_periods %}
listener_{{ period }}s as (

    select
        listener_id,
        {{ listening_period_start(period, 'scrobbled_date') }} as period_start,
{{ measures }}

    from scrobbles

    where
        1 = 1
        {{ and_touched(period, 'scrobbled_date', 'listener_id') }}

    group by listener_id, {{ listening_period_start(period, 'scrobbled_date') }}

),

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

{% for period in listener_periods %}
    union all

    select
        listener_id,
        cast('{{ period }}' as text) as period,
        period_start,
        scrobbles,
        tracks,
        artists,
        cast(null as bigint) as albums,
        cast(1 as bigint) as listeners,
        listening_seconds,
        scrobbles_without_duration,
        first_scrobbled_date,
        last_scrobbled_date

    from listener_{{ period }}s

{% endfor %}
{% for period in panel_periods %}
    union all

    select
        cast('' as text) as listener_id,
        cast('{{ period }}' as text) as period,
        period_start,
        scrobbles,
        tracks,
        artists,
        albums,
        listeners,
        listening_seconds,
        scrobbles_without_duration,
        first_scrobbled_date,
        last_scrobbled_date

    from panel_{{ period }}s

{% endfor %}
)

select * from final
