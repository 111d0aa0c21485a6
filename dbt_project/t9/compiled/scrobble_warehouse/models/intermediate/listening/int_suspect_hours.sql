-- One row per listener and hour of the clock on days that can break a rule of flags.
--
-- Only such days have their plays read: their sums of one or two days, or the hours of
-- all days of the longest rule, are high enough.
  -- a step of int_flags_found, its only reader




with

listener_days as (

    select * from "new"."intermediate"."int_listener_days"

),

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

summed as (

    select
        listener_id,
        scrobbled_date,
        sum(scrobbles) over two_days >= 300
        or sum(scrobbles_cut_short) over two_days >= 28
            as is_busy,
        sum(active_hours) over all_days >= 144 as is_long

    from listener_days

    window
        two_days as (
            partition by listener_id
            order by scrobbled_date
            range between interval '1 day' preceding and current row
        ),
        all_days as (
            partition by listener_id
            order by scrobbled_date
            range between interval '8 days' preceding and current row
        )

),

starting as (

    select
        listener_id,
        scrobbled_date,
        case
            when is_long then cast((scrobbled_date + cast(-8 as integer)) as date)
            else cast((scrobbled_date + cast(-1 as integer)) as date)
        end as first_date

    from summed

    where is_busy or is_long

),

-- Day by day, not by a comparison: PostgreSQL would try every day of the listener.
summed_over as (

    select distinct
        listener_id,
        cast(
        unnest(generate_series(first_date, scrobbled_date, interval '1 day'))
        as date
    ) as scrobbled_date

    from starting

),

suspects as (

    select
        listener_days.listener_id,
        listener_days.scrobbled_date

    from listener_days

    inner join summed_over
        on
            listener_days.listener_id = summed_over.listener_id
            and listener_days.scrobbled_date = summed_over.scrobbled_date

),

plays as (

    select
        scrobbles.listener_id,
        scrobbles.scrobbled_at,
        scrobbles.duration_seconds,
        lag(scrobbles.scrobbled_at) over of_listener as previous_at,
        lead(scrobbles.scrobbled_at) over of_listener as next_at,
        lag(scrobbles.scrobbled_at) over of_track as same_track_at

    from scrobbles

    inner join suspects
        on
            scrobbles.listener_id = suspects.listener_id
            and scrobbles.scrobbled_date = suspects.scrobbled_date

    window
        of_listener as (
            partition by scrobbles.listener_id
            order by scrobbles.scrobbled_at, scrobbles.scrobble_id
        ),
        of_track as (
            partition by scrobbles.listener_id, scrobbles.track_id
            order by scrobbles.scrobbled_at, scrobbles.scrobble_id
        )

),

final as (

    select
        listener_id,
        date_trunc('hour', scrobbled_at) as hour_at,
        count(*) as plays,
        count(*) filter (
            where cast(extract(epoch from (scrobbled_at - same_track_at)) as double precision) < 86400
        ) as repeats,
        count(*) filter (where duration_seconds is not null
    and extract(second from scrobbled_at) <> 0
    and extract(second from next_at) <> 0) as timed,
        count(*) filter (where duration_seconds is not null
    and extract(second from scrobbled_at) <> 0
    and extract(second from next_at) <> 0
    and cast(extract(epoch from (next_at - scrobbled_at)) as double precision) > 0
    and cast(extract(epoch from (next_at - scrobbled_at)) as double precision) * 2 < least(duration_seconds, 480))
            as cut_short,
        max(cast(extract(epoch from (scrobbled_at - previous_at)) as double precision)) as quiet_seconds

    from plays

    group by listener_id, date_trunc('hour', scrobbled_at)

)

select * from final