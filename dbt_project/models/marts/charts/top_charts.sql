-- One row per kind of entity, period and place on the panel's chart.
{{ config(materialized='view') }}  -- the rows of int_panel_charts, not a second copy
with

charts as (

    select * from {{ ref('int_panel_charts') }}

),

final as (

    select
        entity_type,
        period,
        period_start,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        rank,
        place,
        scrobbles,
        scrobbles_capped,
        listeners,
        listening_seconds,
        share_pct

    from charts

)

select * from final
