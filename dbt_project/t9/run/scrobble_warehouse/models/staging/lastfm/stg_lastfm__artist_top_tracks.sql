drop view if exists "new"."staging"."stg_lastfm__artist_top_tracks" cascade;

  
  create view "new"."staging"."stg_lastfm__artist_top_tracks" as (
    -- One row per track in an artist.getTopTracks answer.
with

source as (

    select * from "new"."raw"."lastfm__artist_top_tracks"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id,
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        source.position,
        case when artist_names.name_key like '(blank name U+%' then artist_names.name_key else source.artist_name end as artist_name,
        case when track_names.name_key like '(blank name U+%' then track_names.name_key else source.track_name end as track_name,
        nullif(source.track_mbid, '') as track_mbid,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final
  );
