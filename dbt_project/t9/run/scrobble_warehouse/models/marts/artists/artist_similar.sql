drop view if exists "new"."marts"."artist_similar" cascade;

  
    
  create view "new"."marts"."artist_similar" as (
    -- One row per artist and artist that last.fm calls similar.
  -- the rows of int_artist_similar
with

similar_artists as (

    select * from "new"."intermediate"."int_artist_similar"

),

final as (

    select
        artist_id,
        similar_artist_id,
        similar_artist_name,
        match,
        rank,
        as_of_date

    from similar_artists

)

select * from final
  );
