-- One row per listener, UTC day and rule by which it is hardly one person's listening.
--
-- Rules look at hours of the clock in a row, so that midnight hides nothing. In a
-- partial build right on days at most as far from touched ones as the longest reaches.
-- Never of the var allowed_listeners.
{{ config(materialized='ephemeral') }}  -- what it finds is compared, then kept
{% set rules = var('listener_flags') %}
{% set allowed = var('allowed_listeners') %}
{% set reach = (rules.long_hours_of / 24) | round(0, 'ceil') | int %}
with

listener_days as (

    select * from {{ near_touched(ref('int_listener_days'), 2 * reach) }}

),

hours as (

    select * from {{ ref('int_suspect_hours') }}

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
            interval '{{ rules.long_hours_of - 1 }} hours' preceding and current row
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
        {%- for flag, is_found, most, hours in [
            ('many_plays', 'windows.plays >= ' ~ rules.many_plays, 'plays', 23),
            (
                'long_hours',
                'windows.long_hours >= ' ~ rules.long_hours,
                'long_hours',
                rules.long_hours_of - 1,
            ),
            (
                'round_the_clock',
                'windows.active_hours >= ' ~ rules.round_the_clock_hours
                ~ ' and windows.plays >= ' ~ rules.round_the_clock_plays
                ~ ' and windows.quiet_seconds < ' ~ rules.quiet_minutes * 60,
                'plays',
                23,
            ),
            (
                'bursts',
                'windows.timed >= ' ~ rules.burst_plays
                ~ ' and windows.cut_short * 100 >= windows.timed * ' ~ rules.burst_pct,
                'cut_short',
                23,
            ),
            (
                'repetition',
                'windows.plays >= ' ~ rules.repetition_plays
                ~ ' and windows.active_hours >= ' ~ rules.repetition_hours
                ~ ' and windows.repeats * 100 >= windows.plays * '
                ~ rules.repetition_pct,
                'repeats',
                23,
            ),
        ] %}
        select
            '{{ flag }}' as flag,
            {{ is_found }} as is_found,
            windows.{{ most }} as most,
            {{ hours }} as hours
        {{ 'union all' if not loop.last }}
        {%- endfor %}
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
        {{ ['true', "listener_id not in ('" ~ allowed | join("', '") ~ "')"]
            [1 if allowed else 0] }}

    group by listener_id, flag, first_date, last_date

),

-- Day by day, not by a comparison: PostgreSQL would try every day of the listener.
span_days as (

    select
        listener_id,
        {{ each_day('first_date', 'last_date') }} as scrobbled_date,
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
