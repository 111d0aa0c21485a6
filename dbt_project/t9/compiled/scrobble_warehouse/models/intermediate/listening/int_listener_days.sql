-- One row per listener and UTC day with at least one scrobble.

with

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

-- Each play with the time of the next one of the same day.
followed as (

    select
        listener_id,
        scrobbled_date,
        scrobbled_at,
        artist_id,
        track_id,
        album_id,
        duration_seconds,
        coalesce(duration_seconds, 210) as listening_seconds,
        lead(scrobbled_at) over (
            partition by listener_id, scrobbled_date
            order by scrobbled_at, scrobble_id
        ) as next_scrobbled_at

    from scrobbles

),

final as (

    select
        listener_id,
        scrobbled_date,
        cast(count(*) as bigint) as scrobbles,
        cast(count(distinct track_id) as bigint) as tracks,
        cast(count(distinct artist_id) as bigint) as artists,
        cast(count(distinct album_id) as bigint) as albums,
        cast(
            count(distinct extract(hour from scrobbled_at)) as integer
        ) as active_hours,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(
            count(*) filter (where duration_seconds is null) as bigint
        ) as scrobbles_without_duration,
        cast(
            count(*) filter (
                where duration_seconds is not null
    and extract(second from scrobbled_at) <> 0
    and extract(second from next_scrobbled_at) <> 0
    and cast(extract(epoch from (next_scrobbled_at - scrobbled_at)) as double precision) > 0
    and cast(extract(epoch from (next_scrobbled_at - scrobbled_at)) as double precision) * 2 < least(duration_seconds, 480)
            ) as bigint
        ) as scrobbles_cut_short,
        cast(
            coalesce(
                max(cast(extract(epoch from (next_scrobbled_at - scrobbled_at)) as double precision)), 0
            ) as bigint
        ) as longest_quiet_seconds,
        min(scrobbled_at) as first_scrobbled_at,
        max(scrobbled_at) as last_scrobbled_at

    from followed

    group by listener_id, scrobbled_date

)

select * from final