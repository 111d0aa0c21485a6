drop table if exists "new"."intermediate"."int_listener_years" cascade;

    

    create  table
      "new"."intermediate"."int_listener_years"
  
    
    as (
      -- One row per listener, year and artist, track or album played in it.
--
-- Years and all time are summed from here.

with

counts as (

    select * from "new"."intermediate"."int_listener_counts"

),

final as (

    select
        listener_id,
        cast('year' as TEXT) as period,
        cast(date_trunc('year', period_start) as date) as period_start,
        entity_type,
        entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from counts

    where period = 'month'

    group by
        listener_id,
        cast(date_trunc('year', period_start) as date),
        entity_type,
        entity_id

)

select * from final
    );
    
  