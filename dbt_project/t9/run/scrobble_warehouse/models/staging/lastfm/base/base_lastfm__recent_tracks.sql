drop view if exists "new"."staging"."base_lastfm__recent_tracks" cascade;

  
  create view "new"."staging"."base_lastfm__recent_tracks" as (
    -- One row per row of a user.getRecentTracks answer, with the reason it is no scrobble.
with

source as (

    select * from "new"."raw"."lastfm__user_recent_tracks"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

walk_pages as (

    select * from "new"."staging"."base_lastfm__scrobble_walk_pages"

),

-- Whole seconds are compared, not timestamps: a nonsense time cannot overflow.
judged as (

    select
        load_id,
        call_id,
        item_index,
        listener_name,
        artist_name,
        artist_mbid,
        track_name,
        track_mbid,
        album_name,
        album_mbid,
        scrobbled_uts,
        as_of_date,
        fetched_at,
        case
            when is_now_playing then 'now playing'
            when coalesce(scrobbled_uts, 0) = 0 then 'no time'
            when
                scrobbled_uts
                < cast(extract(epoch from cast('2002-10-01' as timestamp)) as bigint)
                then 'before last.fm'
            when
                scrobbled_uts > cast(extract(epoch from fetched_at) as bigint)
                + 300
                then 'in the future'
        end as rejection

    from source

),

final as (

    select
        judged.load_id,
        judged.call_id,
        judged.item_index,
        walk_pages.walk_id,
        case
            when judged.rejection is null
                then
                    md5(listener_names.name_key || chr(31) || cast(judged.scrobbled_uts as TEXT) || chr(31) || artist_names.name_key || chr(31) || track_names.name_key)
        end as scrobble_id,
        md5(replace(replace(replace(artist_names.artist_key, ',', ''), '"', ''), ' ', '') || chr(31) || replace(replace(replace(track_names.name_key, ',', ''), '"', ''), ' ', '')) as match_key,
        listener_names.name_key as listener_id,
        artist_names.artist_id,
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        md5(artist_names.artist_key || chr(31) || album_names.name_key) as album_id,
        judged.listener_name,
        judged.artist_name,
        nullif(judged.artist_mbid, '') as artist_mbid,
        judged.track_name,
        nullif(judged.track_mbid, '') as track_mbid,
        nullif(judged.album_name, '') as album_name,
        nullif(judged.album_mbid, '') as album_mbid,
        judged.scrobbled_uts,
        case
            when judged.rejection is null
                then case
        when judged.scrobbled_uts between 1 and 4102444799
            then make_timestamp(judged.scrobbled_uts * 1000000)
    end
        end as scrobbled_at,
        judged.rejection,
        judged.as_of_date,
        judged.fetched_at,
        artist_names.identity_load_id,
        greatest(judged.load_id, artist_names.identity_load_id) as touched_load_id

    from judged

    left join names as listener_names
        on judged.listener_name = listener_names.name

    left join names as artist_names on judged.artist_name = artist_names.name

    left join names as track_names on judged.track_name = track_names.name

    left join names as album_names
        on nullif(judged.album_name, '') = album_names.name

    left join walk_pages on judged.call_id = walk_pages.call_id

)

select * from final
  );
