-- One row per answered play: a play in two answers stands here twice.
with

recent_tracks as (

    select * from "new"."staging"."base_lastfm__recent_tracks"

),

final as (

    select
        load_id,
        call_id,
        item_index,
        walk_id,
        scrobble_id,
        match_key,
        listener_id,
        artist_id,
        track_id,
        album_id,
        listener_name,
        artist_name,
        artist_mbid,
        track_name,
        track_mbid,
        album_name,
        album_mbid,
        scrobbled_uts,
        scrobbled_at,
        cast(scrobbled_at as date) as scrobbled_date,
        as_of_date,
        fetched_at,
        identity_load_id,
        touched_load_id

    from recent_tracks

    where rejection is null

)

select * from final