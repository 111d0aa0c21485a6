drop view if exists "new"."marts"."mbid_history" cascade;

  
    
  create view "new"."marts"."mbid_history" as (
    -- One row per artist, album or track and stretch of days with one MusicBrainz id.
  -- rows of int_stretches
with

stretches as (

    select * from "new"."intermediate"."int_stretches"

),

final as (

    select
        replace(history, '_mbid', '') as entity_type,
        subject_id as entity_id,
        item_id as mbid,
        valid_from_date,
        valid_to_date

    from stretches

    where history in ('artist_mbid', 'album_mbid', 'track_mbid')

)

select * from final
  );
