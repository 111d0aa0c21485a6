-- One row per scrobble: a listener, a second, an artist's and a track's name.
  -- the rows of int_scrobbles, not a second copy
with

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

flagged_days as (

    select distinct
        listener_id,
        scrobbled_date

    from "new"."intermediate"."int_flagged_days"

),

final as (

    select
        scrobbles.scrobble_id,
        scrobbles.listener_id,
        scrobbles.artist_id,
        scrobbles.track_id,
        scrobbles.album_id,
        scrobbles.scrobbled_at,
        scrobbles.scrobbled_date,
        scrobbles.duration_seconds,
        cast(coalesce(scrobbles.duration_seconds, 210) as integer)
            as listening_seconds,
        flagged_days.listener_id is not null as is_flagged,
        scrobbles.load_id

    from scrobbles

    left join flagged_days
        on
            scrobbles.listener_id = flagged_days.listener_id
            and scrobbles.scrobbled_date = flagged_days.scrobbled_date

)

select * from final