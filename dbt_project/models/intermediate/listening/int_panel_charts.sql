-- One row per kind of entity, period and place on the panel's chart.
--
-- Artists, tracks, albums, tags and listeners, ranked among all of their kind, then cut
-- to the first var top_charts_size places: the tail of a week is as long as its
-- scrobbles. What stands further down, and any other span of days, is asked from
-- fct_scrobbles.
-- depends_on: {{ ref('int_touched_charts') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='touched_charts',
        post_hook="{{ rename_restated() }}"
    )
}}
with

entities as (

    select * from {{ ref('int_listener_entities') }}

),

periods as (

    select * from {{ ref('int_periods') }}

),

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

names as (

    select * from {{ ref('int_entity_names') }}

),

-- All time is as long as the panel's history.
history as (

    select
        {{ days_between('min(scrobbled_date)', 'max(scrobbled_date)') }} + 1 as days

    from listener_days

),

lengths as (

    select
        periods.period,
        periods.period_start,
        coalesce(periods.days, (select history.days from history)) as days

    from periods

),

capped as (

    select
        entities.listener_id,
        entities.period,
        entities.period_start,
        entities.entity_type,
        entities.entity_id,
        entities.scrobbles,
        {{ capped_scrobbles('entities.scrobbles', 'lengths.days') }}
            as scrobbles_capped,
        entities.listening_seconds

    from entities

    inner join lengths
        on
            entities.period = lengths.period
            and entities.period_start = lengths.period_start

),

counted as (

    select
        period,
        period_start,
        entity_type,
        entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_capped) as bigint) as scrobbles_capped,
        cast(count(*) as bigint) as listeners,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from capped

    group by period, period_start, entity_type, entity_id

    union all

    select
        period,
        period_start,
        cast('listener' as text) as entity_type,
        listener_id as entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_capped) as bigint) as scrobbles_capped,
        cast(1 as bigint) as listeners,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from capped

    where entity_type = 'artist'

    group by period, period_start, listener_id

),

placed as (

    select
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        scrobbles_capped,
        listeners,
        listening_seconds,
        {{ places('period, period_start, entity_type') }}

    from counted

),

final as (

    select
        cast('' as text) as listener_id,
        placed.entity_type,
        placed.period,
        placed.period_start,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        placed.rank,
        placed.place,
        placed.scrobbles,
        placed.scrobbles_capped,
        placed.listeners,
        placed.listening_seconds,
        placed.share_pct,
        placed.entities

    from placed

    left join names
        on
            placed.entity_type = names.entity_type
            and placed.entity_id = names.entity_id

    where placed.place <= {{ var('top_charts_size') }}

)

select * from final
