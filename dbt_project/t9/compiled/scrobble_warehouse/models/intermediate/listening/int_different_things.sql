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