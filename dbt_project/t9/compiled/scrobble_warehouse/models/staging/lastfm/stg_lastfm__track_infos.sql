-- One row per track.getInfo answer.
with

source as (

    select * from "new"."raw"."lastfm__track_infos"

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
        source.artist_name,
        nullif(source.artist_mbid, '') as artist_mbid,
        source.track_name,
        nullif(source.track_mbid, '') as track_mbid,
        nullif(source.album_name, '') as album_name,
        nullif(source.duration_seconds, 0) as duration_seconds,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final