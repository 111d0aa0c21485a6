-- One row per track of an album.getInfo answer.
with

source as (

    select * from "new"."raw"."lastfm__album_tracks"

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
        md5(track_artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        source.position,
        source.artist_name,
        source.album_name,
        source.track_artist_name,
        source.track_name,
        nullif(source.duration_seconds, 0) as duration_seconds,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as album_names on source.album_name = album_names.name

    left join names as track_artist_names
        on
            coalesce(source.track_artist_name, source.artist_name)
            = track_artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final