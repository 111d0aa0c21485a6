-- One row per listener and neighbour.
  -- the rows of int_listener_neighbours
with

neighbours as (

    select * from "new"."intermediate"."int_listener_neighbours"

),

final as (

    select
        listener_id,
        neighbour_id,
        rank,
        affinity,
        intensity,
        shared_artists

    from neighbours

)

select * from final