-- One row per listener and artist with at least one scrobble.

with

weeks as (

    select * from "new"."marts"."artist_listener_weeks"

),

final as (

    select
        listener_id,
        artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        min(first_scrobbled_at) as first_scrobbled_at,
        max(last_scrobbled_at) as last_scrobbled_at

    from weeks

    group by listener_id, artist_id

)

select * from final