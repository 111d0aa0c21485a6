drop view if exists "new"."marts"."fct_artist_snapshots" cascade;

  
    
  create view "new"."marts"."fct_artist_snapshots" as (
    -- One row per artist and UTC day on which last.fm's counters were answered.
-- A view of int_artist_snapshots; a table would hold the history twice.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

final as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        hours_since_previous,
        days_since_previous,
        new_listeners_per_day,
        plays_per_day,
        listeners_correction,
        playcount_correction,
        listeners_set_aside,
        plays_set_aside,
        flow_state,
        flow_reason,
        is_stalled,
        touched_load_id

    from snapshots

)

select * from final
  );
