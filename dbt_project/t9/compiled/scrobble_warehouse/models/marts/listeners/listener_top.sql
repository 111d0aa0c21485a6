-- One row per listener, kind of entity, period and place.
  -- the rows of int_listener_lists, not a second copy
with

lists as (

    select * from "new"."intermediate"."int_listener_lists"

),

final as (

    select
        listener_id,
        entity_type,
        period,
        period_start,
        rank,
        place,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        share_pct,
        entities

    from lists

)

select * from final