drop view if exists "new"."staging"."stg_lastfm__artist_top_albums" cascade;

  
  create view "new"."staging"."stg_lastfm__artist_top_albums" as (
    -- One row per album in an artist.getTopAlbums answer.
with

source as (

    select * from "new"."raw"."lastfm__artist_top_albums"

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
        source.position,
        case when artist_names.name_key like '(blank name U+%' then artist_names.name_key else source.artist_name end as artist_name,
        case when album_names.name_key like '(blank name U+%' then album_names.name_key else source.album_name end as album_name,
        nullif(source.album_mbid, '') as album_mbid,
        source.playcount,
        source.cover_id,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as album_names on source.album_name = album_names.name

)

select * from final
  );
