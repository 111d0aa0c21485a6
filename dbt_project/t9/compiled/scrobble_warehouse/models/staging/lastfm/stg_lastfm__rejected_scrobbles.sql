-- One row per answered row of recent tracks that is no play at a real time.
with

recent_tracks as (

    select * from "new"."staging"."base_lastfm__recent_tracks"

),

final as (

    select
        load_id,
        call_id,
        item_index,
        listener_id,
        artist_id,
        track_id,
        listener_name,
        artist_name,
        track_name,
        album_name,
        scrobbled_uts,
        rejection,
        as_of_date,
        fetched_at

    from recent_tracks

    where rejection is not null

)

select * from final