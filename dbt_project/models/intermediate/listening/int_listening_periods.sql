-- One row per listener ('' is the whole panel) and period with at least one scrobble.
--
-- The panel has all seven kinds of periods; a listener day, week, month and year.
-- Clean is what is not of flagged days.
{{ config(materialized='incremental', incremental_strategy='touched_periods') }}
with

flagged_days as (

    select distinct
        listener_id,
        scrobbled_date

    from {{ ref('int_flagged_days') }}

),

listener_days as (

    select
        listener_days.listener_id,
        listener_days.scrobbled_date,
        listener_days.scrobbles,
        listener_days.listening_seconds,
        listener_days.scrobbles_without_duration,
        flagged_days.listener_id is null as is_clean

    from {{ ref('int_listener_days') }} as listener_days

    left join flagged_days
        on
            listener_days.listener_id = flagged_days.listener_id
            and listener_days.scrobbled_date = flagged_days.scrobbled_date

),

different_things as (

    select * from {{ ref('int_different_things') }}

),

period_parts as (

    select * from {{ touched_parts('int_touched_periods') }}

    where part = 'day'

),

by_listener as (

    select
        listener_days.listener_id,
        period_parts.period,
        period_parts.period_start,
        cast(sum(listener_days.scrobbles) as bigint) as scrobbles,
        cast(sum(listener_days.listening_seconds) as bigint) as listening_seconds,
        cast(
            sum(listener_days.scrobbles_without_duration) as bigint
        ) as scrobbles_without_duration,
        cast(
            sum(
                case when listener_days.is_clean then listener_days.scrobbles else 0 end
            ) as bigint
        ) as scrobbles_clean,
        cast(
            sum(
                case
                    when listener_days.is_clean then listener_days.listening_seconds
                    else 0
                end
            ) as bigint
        ) as listening_seconds_clean,
        cast(
            sum(
                case
                    when listener_days.is_clean
                        then listener_days.scrobbles_without_duration
                    else 0
                end
            ) as bigint
        ) as scrobbles_without_duration_clean,
        max(case when listener_days.is_clean then 1 else 0 end) as listeners_clean,
        min(listener_days.scrobbled_date) as first_scrobbled_date,
        max(listener_days.scrobbled_date) as last_scrobbled_date

    from listener_days

    inner join period_parts
        on listener_days.scrobbled_date = period_parts.part_start

    group by
        listener_days.listener_id, period_parts.period, period_parts.period_start

),

-- The panel from its listeners: counting different listeners takes three times as long.
sums as (

    select
        listener_id,
        period,
        period_start,
        scrobbles,
        cast(1 as bigint) as listeners,
        listening_seconds,
        scrobbles_without_duration,
        scrobbles_clean,
        cast(listeners_clean as bigint) as listeners_clean,
        listening_seconds_clean,
        scrobbles_without_duration_clean,
        first_scrobbled_date,
        last_scrobbled_date

    from by_listener

    where period in ('day', 'week', 'month', 'year')

    union all

    select
        cast('' as {{ type_string() }}) as listener_id,
        period,
        period_start,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(count(*) as bigint) as listeners,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(scrobbles_without_duration) as bigint) as scrobbles_without_duration,
        cast(sum(scrobbles_clean) as bigint) as scrobbles_clean,
        cast(sum(listeners_clean) as bigint) as listeners_clean,
        cast(sum(listening_seconds_clean) as bigint) as listening_seconds_clean,
        cast(
            sum(scrobbles_without_duration_clean) as bigint
        ) as scrobbles_without_duration_clean,
        min(first_scrobbled_date) as first_scrobbled_date,
        max(last_scrobbled_date) as last_scrobbled_date

    from by_listener

    group by period, period_start

),

final as (

    select
        sums.listener_id,
        sums.period,
        sums.period_start,
        sums.scrobbles,
        different_things.tracks,
        different_things.artists,
        different_things.albums,
        sums.listeners,
        sums.listening_seconds,
        sums.scrobbles_without_duration,
        sums.scrobbles_clean,
        different_things.tracks_clean,
        different_things.artists_clean,
        different_things.albums_clean,
        sums.listeners_clean,
        sums.listening_seconds_clean,
        sums.scrobbles_without_duration_clean,
        sums.first_scrobbled_date,
        sums.last_scrobbled_date

    from sums

    left join different_things
        on
            sums.listener_id = different_things.listener_id
            and sums.period = different_things.period
            and sums.period_start = different_things.period_start

)

select * from final
