drop view if exists "new"."staging"."stg_lastfm__album_infos" cascade;

  
  create view "new"."staging"."stg_lastfm__album_infos" as (
    -- One row per album.getInfo answer.
with

source as (

    select * from "new"."raw"."lastfm__album_infos"

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
        md5(artist_names.artist_key || chr(31) || album_names.name_key) as album_id,
        source.artist_name,
        source.album_name,
        nullif(source.album_mbid, '') as album_mbid,
        source.cover_id,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as album_names on source.album_name = album_names.name

)

select * from final
  );
