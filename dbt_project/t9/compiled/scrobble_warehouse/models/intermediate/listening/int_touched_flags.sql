-- One row per listener and UTC day on which flags or their evidence are others now.


with

 __dbt__cte__int_suspect_hours as (
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
),  __dbt__cte__int_flags_found as (
-- One row per listener, UTC day and rule by which it is hardly one person's listening.
--
-- Rules look at hours of the clock in a row, so that midnight hides nothing. In a
-- partial build right on days at most as far from touched ones as the longest reaches.
-- Never of the var allowed_listeners.
  -- what it finds is compared, then kept



with

listener_days as (

    select * from "new"."intermediate"."int_listener_days"

),

hours as (

    select * from __dbt__cte__int_suspect_hours

),

-- The quiet before the first of 24 hours is not theirs.
windows as (

    select
        listener_id,
        hour_at,
        sum(plays) over of_day as plays,
        count(*) over of_day as active_hours,
        sum(repeats) over of_day as repeats,
        sum(timed) over of_day as timed,
        sum(cut_short) over of_day as cut_short,
        max(quiet_seconds) over (
            partition by listener_id
            order by hour_at
            range between interval '22 hours' preceding and current row
        ) as quiet_seconds,
        count(*) over (
            partition by listener_id
            order by hour_at
            range between
            interval '191 hours' preceding and current row
        ) as long_hours

    from hours

    window of_day as (
        partition by listener_id
        order by hour_at
        range between interval '23 hours' preceding and current row
    )

),

found as (

    select
        windows.listener_id,
        findings.flag,
        findings.most,
        cast(
            windows.hour_at - findings.hours * interval '1 hour' as date
        ) as first_date,
        cast(windows.hour_at as date) as last_date

    from windows

    cross join lateral (
        select
            'many_plays' as flag,
            windows.plays >= 650 as is_found,
            windows.plays as most,
            23 as hours
        union all
        select
            'long_hours' as flag,
            windows.long_hours >= 144 as is_found,
            windows.long_hours as most,
            191 as hours
        union all
        select
            'round_the_clock' as flag,
            windows.active_hours >= 22 and windows.plays >= 400 and windows.quiet_seconds < 7200 as is_found,
            windows.plays as most,
            23 as hours
        union all
        select
            'bursts' as flag,
            windows.timed >= 100 and windows.cut_short * 100 >= windows.timed * 30 as is_found,
            windows.cut_short as most,
            23 as hours
        union all
        select
            'repetition' as flag,
            windows.plays >= 300 and windows.active_hours >= 12 and windows.repeats * 100 >= windows.plays * 95 as is_found,
            windows.repeats as most,
            23 as hours
        
    ) as findings

    where findings.is_found

),

spans as (

    select
        listener_id,
        flag,
        first_date,
        last_date,
        max(most) as most

    from found

    where
        true

    group by listener_id, flag, first_date, last_date

),

-- Day by day, not by a comparison: PostgreSQL would try every day of the listener.
span_days as (

    select
        listener_id,
        cast(
        unnest(generate_series(first_date, last_date, interval '1 day'))
        as date
    ) as scrobbled_date,
        flag,
        most

    from spans

),

final as (

    select
        listener_days.listener_id,
        listener_days.scrobbled_date,
        span_days.flag,
        cast(max(span_days.most) as bigint) as most

    from listener_days

    inner join span_days
        on
            listener_days.listener_id = span_days.listener_id
            and listener_days.scrobbled_date = span_days.scrobbled_date

    group by
        listener_days.listener_id, listener_days.scrobbled_date, span_days.flag

)

select * from final
), found as (

    select * from __dbt__cte__int_flags_found

),

-- As the build before left it.
built as (

    select * from "new"."intermediate"."int_flagged_days"

),

compared as (

    select
        coalesce(found.listener_id, built.listener_id) as listener_id,
        coalesce(found.scrobbled_date, built.scrobbled_date) as scrobbled_date,
        count(found.flag) as flags,
        count(built.flag) as flags_before,
        count(*) filter (where found.most is distinct from built.most) as differences

    from found

    full outer join built
        on
            found.listener_id = built.listener_id
            and found.scrobbled_date = built.scrobbled_date
            and found.flag = built.flag

    group by
        coalesce(found.listener_id, built.listener_id),
        coalesce(found.scrobbled_date, built.scrobbled_date)

),

final as (

    select
        listener_id,
        scrobbled_date,
        (flags > 0) <> (flags_before > 0) as is_count_changed

    from compared

    where differences > 0

)

select * from final