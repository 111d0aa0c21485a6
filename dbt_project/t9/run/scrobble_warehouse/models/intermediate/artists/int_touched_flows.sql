drop table if exists "new"."intermediate"."int_touched_flows" cascade;

    

    create  table
      "new"."intermediate"."int_touched_flows"
  
    
    as (
      -- One row per build, with the first UTC day whose flows the new loads change.
--
-- The flows of all days from there on are made anew.
with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

holdings as (

    select * from "new"."staging"."stg_exchange__holdings"

),

scrobbles as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

),

days as (

    select min(snapshot_date) as touched_date

    from snapshots
    
    
),

final as (

    select min(touched_date) as first_date

    from days

)

select * from final
    );
    
  