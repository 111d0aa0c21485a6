-- One row per listener ('' is the panel) and period whose charts change with new loads.
--
-- Because a play changed in it, or because an artist who was played in it has other
-- main tags than before.

with

touched_periods as (

    select * from "new"."intermediate"."int_touched_periods"

),


final as (

    select
        listener_id,
        period,
        period_start,
        next_period_start

    from touched_periods

    

)

select * from final