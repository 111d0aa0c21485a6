drop table if exists "new"."intermediate"."int_touched_series" cascade;

    

    create  table
      "new"."intermediate"."int_touched_series"
  
    
    as (
      -- One row per listener ('' is the panel) and kind of period whose series changes.
--
-- With the first start from which the series is made anew.
with

touched_periods as (

    select * from "new"."intermediate"."int_touched_periods"

),

listening as (

    select * from "new"."intermediate"."int_listening_periods"

),

first_touched as (

    select
        listener_id,
        period,
        min(period_start) as period_start

    from touched_periods

    where period in ('day', 'week', 'month', 'year')

    group by listener_id, period

),

-- The zeros before a play stand there because of it: where it is gone, so are they.
final as (

    select
        first_touched.listener_id,
        first_touched.period,
        coalesce(
            max(listening.period_start), first_touched.period_start
        ) as period_start

    from first_touched

    left join listening
        on
            first_touched.listener_id = listening.listener_id
            and first_touched.period = listening.period
            and first_touched.period_start > listening.period_start

    group by
        first_touched.listener_id,
        first_touched.period,
        first_touched.period_start

)

select * from final
    );
    
  