-- One row per listener and hour of the clock on days that can break a rule of flags.
--
-- Only such days have their plays read: their sums of one or two days, or the hours of
-- all days of the longest rule, are high enough.
{{ config(materialized='ephemeral') }}  -- a step of int_flags_found, its only reader
{% set rules = var('listener_flags') %}
{% set reach = (rules.long_hours_of / 24) | round(0, 'ceil') | int %}
{% set least_plays = [
    rules.many_plays, rules.round_the_clock_plays, rules.repetition_plays
] | min %}
{% set least_cut_short = (rules.burst_plays * rules.burst_pct / 100) | int - 2 %}
with

listener_days as (

    select * from {{ near_touched(ref('int_listener_days'), 2 * reach) }}

),

scrobbles as (

    select * from {{ ref('int_scrobbles') }}

),

summed as (

    select
        listener_id,
        scrobbled_date,
        sum(scrobbles) over two_days >= {{ least_plays }}
        or sum(scrobbles_cut_short) over two_days >= {{ least_cut_short }}
            as is_busy,
        sum(active_hours) over all_days >= {{ rules.long_hours }} as is_long

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
            range between interval '{{ reach }} days' preceding and current row
        )

),

starting as (

    select
        listener_id,
        scrobbled_date,
        case
            when is_long then {{ add_days('scrobbled_date', -reach) }}
            else {{ add_days('scrobbled_date', -1) }}
        end as first_date

    from summed

    where is_busy or is_long

),

-- Day by day, not by a comparison: PostgreSQL would try every day of the listener.
summed_over as (

    select distinct
        listener_id,
        {{ each_day('first_date', 'scrobbled_date') }} as scrobbled_date

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
            where {{ seconds_between('same_track_at', 'scrobbled_at') }} < 86400
        ) as repeats,
        count(*) filter (where {{ is_timed('scrobbled_at', 'next_at') }}) as timed,
        count(*) filter (where {{ is_cut_short('scrobbled_at', 'next_at') }})
            as cut_short,
        max({{ seconds_between('previous_at', 'scrobbled_at') }}) as quiet_seconds

    from plays

    group by listener_id, date_trunc('hour', scrobbled_at)

)

select * from final
