drop table if exists "new"."intermediate"."int_track_lengths" cascade;

    

    create  table
      "new"."intermediate"."int_track_lengths"
  
    
    as (
      -- One row per track whose length is known, with the load that brought it first.
--
-- The first known length stays: a play counts with the length that was known when it
-- came, so that a length learnt or corrected later changes no day that is counted.
with

track_infos as (

    select * from "new"."staging"."stg_lastfm__track_infos"

),

top_tracks as (

    select * from "new"."staging"."stg_lastfm__user_top_tracks"

),

album_tracks as (

    select * from "new"."staging"."stg_lastfm__album_tracks"

),

-- What last.fm says of the track itself comes before what lists say of it.
answered as (

    select
        track_id,
        duration_seconds,
        1 as preference,
        fetched_at,
        load_id,
        call_id,
        item_index

    from track_infos

    where duration_seconds > 0 and track_id is not null

    union all

    select
        track_id,
        duration_seconds,
        2 as preference,
        fetched_at,
        load_id,
        call_id,
        item_index

    from top_tracks

    where duration_seconds > 0 and track_id is not null

    union all

    select
        track_id,
        duration_seconds,
        3 as preference,
        fetched_at,
        load_id,
        call_id,
        item_index

    from album_tracks

    where duration_seconds > 0 and track_id is not null

),

ranked as (

    select
        track_id,
        duration_seconds,
        load_id,
        row_number() over (
            partition by track_id
            order by
                load_id,
                preference,
                fetched_at desc,
                call_id desc,
                item_index desc
        ) as choice

    from answered

),

final as (

    select
        track_id,
        duration_seconds,
        load_id

    from ranked

    where choice = 1

)

select * from final
    );
    
  