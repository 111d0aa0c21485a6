-- One row per listener, kind of entity, period and place.
--
-- What the listener played most, counted from all plays, then cut to the first var
-- listener_top_size places.
-- depends_on: {{ ref('int_touched_charts') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='touched_charts',
        indexes=postgres_indexes([
            ['listener_id', 'entity_type', 'period', 'period_start'],
        ]),
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

placed as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        rank() over (
            partition by listener_id, period, period_start, entity_type
            order by scrobbles desc
        ) as rank,
        row_number() over (
            partition by listener_id, period, period_start, entity_type
            order by scrobbles desc, entity_id
        ) as place,
        sum(scrobbles) over (
            partition by listener_id, period, period_start, entity_type
        ) as all_scrobbles,
        count(*) over (
            partition by listener_id, period, period_start, entity_type
        ) as entities

    from entities

),

final as (

    select
        placed.listener_id,
        placed.entity_type,
        placed.period,
        placed.period_start,
        cast(placed.rank as integer) as rank,
        cast(placed.place as integer) as place,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        placed.scrobbles,
        100 * {{ ratio('placed.scrobbles', 'placed.all_scrobbles') }} as share_pct,
        cast(placed.entities as bigint) as entities

    from placed

    left join names
        on
            placed.entity_type = names.entity_type
            and placed.entity_id = names.entity_id

    where placed.place <= {{ var('listener_top_size') }}

)

select * from final
