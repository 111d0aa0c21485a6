drop view if exists "new"."marts"."top_charts" cascade;

  
    
  create view "new"."marts"."top_charts" as (
    -- One row per kind of entity, period and entity on the panel's chart.
  -- the rows of int_panel_charts, not a second copy
with

charts as (

    select * from "new"."intermediate"."int_panel_charts"

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
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        listening_seconds,
        listening_seconds_counted,
        share_pct,
        rank_all,
        place_all,
        share_all_pct

    from charts

)

select * from final
  );
