drop table if exists "new"."intermediate"."int_listener_counts" cascade;

    

    create  table
      "new"."intermediate"."int_listener_counts"
  
    
    as (
      -- One row per listener, week or month, and artist, track or album played in it.
--
-- Counts of plays add up: longer periods are summed from here, so that a further day
-- costs the weeks and months it touches and not the history. Plays of flagged days do
-- not count, and of the others no more than var counted_scrobbles.

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

dated as (

    select
        scrobbles.listener_id,
        cast(date_trunc('week', scrobbles.scrobbled_date) as date) as week_start,
        cast(date_trunc('month', scrobbles.scrobbled_date) as date) as month_start,
        scrobbles.artist_id,
        scrobbles.track_id,
        scrobbles.album_id,
        coalesce(scrobbles.duration_seconds, 210) as listening_seconds,
        flagged_days.listener_id is not null as is_flagged

    from scrobbles

    left join flagged_days
        on
            scrobbles.listener_id = flagged_days.listener_id
            and scrobbles.scrobbled_date = flagged_days.scrobbled_date

),

summed as (
    select
        listener_id,
        case when grouping(week_start) = 0 then 'week' else 'month' end as period,
        coalesce(week_start, month_start) as period_start,
        case
            when grouping(artist_id) = 0 then 'artist'
            when grouping(track_id) = 0 then 'track'
            else 'album'
        end as entity_type,
        coalesce(artist_id, track_id, album_id) as entity_id,
        cast(count(*) as bigint) as scrobbles,
        cast(count(*) filter (where is_flagged) as bigint) as scrobbles_flagged,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(
            coalesce(sum(listening_seconds) filter (where not is_flagged), 0) as bigint
        ) as listening_seconds_clean

    from dated

    group by
        grouping sets (
            (listener_id, week_start, artist_id),
            (listener_id, week_start, track_id),
            (listener_id, week_start, album_id),
            (listener_id, month_start, artist_id),
            (listener_id, month_start, track_id),
            (listener_id, month_start, album_id)
        )

),

-- A listener counts for one entity at most so often a week or month.
capped as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        scrobbles_flagged,
        least(
            scrobbles - scrobbles_flagged,
            case period
                when 'week' then 35
                when 'month' then 140
            end
        ) as scrobbles_counted,
        listening_seconds,
        listening_seconds_clean

    from summed

    -- A play without an album stands in no album's count.
    where entity_id is not null

),

final as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listening_seconds,
        coalesce(
            cast(
        (cast(listening_seconds_clean as hugeint) * scrobbles_counted)
        // nullif(cast((scrobbles - scrobbles_flagged) as hugeint), 0) as bigint
    ),
            0
        ) as listening_seconds_counted

    from capped

)

select * from final
    );
    
  