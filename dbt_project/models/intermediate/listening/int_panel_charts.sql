-- One row per kind of entity, period and entity on the panel's chart.
--
-- Artists, tracks, albums, tags and listeners, ranked among all of their kind by what
-- counts and by all plays, then cut to the first var top_charts_size places of either:
-- the tail of a week is as long as its scrobbles. What stands further down, and any
-- other span of days, is asked from fct_scrobbles.
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

names as (

    select * from {{ ref('int_entity_names') }}

),

-- A listener counts what the listener's artists count.
summed as (

    select
        period,
        period_start,
        entity_type,
        entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(count(*) as bigint) as listeners,
        cast(count(*) filter (where scrobbles_counted > 0) as bigint)
            as listeners_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from entities

    group by period, period_start, entity_type, entity_id

    union all

    select
        period,
        period_start,
        cast('listener' as {{ type_string() }}) as entity_type,
        listener_id as entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(1 as bigint) as listeners,
        cast(case when sum(scrobbles_counted) > 0 then 1 else 0 end as bigint)
            as listeners_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from entities

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
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        listening_seconds,
        listening_seconds_counted,
        {{ places('period, period_start, entity_type') }}

    from summed

),

final as (

    select
        cast('' as {{ type_string() }}) as listener_id,
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
        placed.scrobbles_flagged,
        placed.scrobbles_counted,
        placed.listeners,
        placed.listeners_counted,
        placed.listening_seconds,
        placed.listening_seconds_counted,
        placed.share_pct,
        placed.entities,
        placed.rank_all,
        placed.place_all,
        placed.share_all_pct,
        placed.entities_all

    from placed

    left join names
        on
            placed.entity_type = names.entity_type
            and placed.entity_id = names.entity_id

    where
        placed.place <= {{ var('top_charts_size') }}
        or placed.place_all <= {{ var('top_charts_size') }}

)

select * from final
