drop table if exists "new"."intermediate"."int_listening_periods" cascade;

    

    create  table
      "new"."intermediate"."int_listening_periods"
  
    
    as (
      -- One row per listener ('' is the whole panel) and period with at least one scrobble.
--
-- The panel has all seven kinds of periods; a listener day, week, month and year.
-- Clean is what is not of flagged days.

with

 __dbt__cte__int_different_things as (
-- One row per listener ('' is the panel) and period, with how many different things.
--
-- Tracks, artists and albums played; these do not add up over parts: they are the
-- lengths of charts and lists before these are cut. Clean is what is not of flagged
-- days.
  -- a step of int_listening_periods
with

listener_days as (

    select * from "new"."intermediate"."int_listener_days"

),

flagged_days as (

    select distinct
        listener_id,
        scrobbled_date

    from "new"."intermediate"."int_flagged_days"

),

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

panel_charts as (

    select * from "new"."intermediate"."int_panel_charts"

),

listener_lists as (

    select * from "new"."intermediate"."int_listener_lists"

),

heads as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities_all as entities,
        entities as entities_clean

    from panel_charts

    where place_all = 1

    union all

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities,
        cast(null as bigint) as entities_clean

    from listener_lists

    where place = 1

),

counted as (

    select
        listener_id,
        period,
        period_start,
        max(entities) filter (where entity_type = 'track') as tracks,
        max(entities_clean) filter (where entity_type = 'track')
            as tracks_clean,
        max(entities) filter (where entity_type = 'artist') as artists,
        max(entities_clean) filter (where entity_type = 'artist')
            as artists_clean,
        max(entities) filter (where entity_type = 'album') as albums,
        max(entities_clean) filter (where entity_type = 'album')
            as albums_clean

    from heads

    group by listener_id, period, period_start

    union all

    select
        listener_id,
        cast('day' as TEXT) as period,
        scrobbled_date as period_start,
        tracks,
        cast(null as bigint) as tracks_clean,
        artists,
        cast(null as bigint) as artists_clean,
        cast(null as bigint) as albums,
        cast(null as bigint) as albums_clean

    from listener_days

    union all

    select
        cast('' as TEXT) as listener_id,
        cast('day' as TEXT) as period,
        scrobbles.scrobbled_date as period_start,
        cast(count(distinct scrobbles.track_id) as bigint) as tracks,
        cast(
            count(distinct scrobbles.track_id) filter (
                where flagged_days.listener_id is null
            ) as bigint
        ) as tracks_clean,
        cast(count(distinct scrobbles.artist_id) as bigint) as artists,
        cast(
            count(distinct scrobbles.artist_id) filter (
                where flagged_days.listener_id is null
            ) as bigint
        ) as artists_clean,
        cast(count(distinct scrobbles.album_id) as bigint) as albums,
        cast(
            count(distinct scrobbles.album_id) filter (
                where flagged_days.listener_id is null
            ) as bigint
        ) as albums_clean

    from scrobbles

    left join flagged_days
        on
            scrobbles.listener_id = flagged_days.listener_id
            and scrobbles.scrobbled_date = flagged_days.scrobbled_date

    group by scrobbles.scrobbled_date

),

final as (

    select
        listener_id,
        period,
        period_start,
        tracks,
        tracks_clean,
        artists,
        artists_clean,
        case when listener_id = '' then coalesce(albums, 0) end as albums,
        case when listener_id = '' then coalesce(albums_clean, 0) end as albums_clean

    from counted

)

select * from final
), flagged_days as (

    select distinct
        listener_id,
        scrobbled_date

    from "new"."intermediate"."int_flagged_days"

),

listener_days as (

    select
        listener_days.listener_id,
        listener_days.scrobbled_date,
        listener_days.scrobbles,
        listener_days.listening_seconds,
        listener_days.scrobbles_without_duration,
        flagged_days.listener_id is null as is_clean

    from "new"."intermediate"."int_listener_days" as listener_days

    left join flagged_days
        on
            listener_days.listener_id = flagged_days.listener_id
            and listener_days.scrobbled_date = flagged_days.scrobbled_date

),

different_things as (

    select * from __dbt__cte__int_different_things

),

period_parts as (

    select * from "new"."intermediate"."int_period_parts"

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
        cast('' as TEXT) as listener_id,
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
    );
    
  