-- One row per track in a listener's loved tracks.
with

source as (

    select * from "new"."raw"."lastfm__user_loved_tracks"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        listener_names.name_key as listener_id,
        artist_names.artist_id,
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        source.listener_name,
        source.artist_name,
        nullif(source.artist_mbid, '') as artist_mbid,
        source.track_name,
        nullif(source.track_mbid, '') as track_mbid,
        case
        when source.loved_uts between 1 and 4102444799
            then make_timestamp(source.loved_uts * 1000000)
    end as loved_at,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as listener_names
        on source.listener_name = listener_names.name

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final