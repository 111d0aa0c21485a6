-- One row per artist, listener and week (from Monday, UTC) with at least one scrobble.

with

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

final as (

    select
        artist_id,
        listener_id,
        cast(date_trunc('week', scrobbled_date) as date) as week_start,
        cast(count(*) as bigint) as scrobbles,
        cast(sum(coalesce(duration_seconds, 210)) as bigint)
            as listening_seconds,
        min(scrobbled_at) as first_scrobbled_at,
        max(scrobbled_at) as last_scrobbled_at

    from scrobbles

    group by artist_id, listener_id, cast(date_trunc('week', scrobbled_date) as date)

)

select * from final