-- One row per listener, week or month, and artist, track or album played in it.
--
-- Counts of plays add up: longer periods are summed from here, so that a further day
-- costs the weeks and months it touches and not the history.
{{ config(materialized='incremental', incremental_strategy='touched_periods') }}
with

scrobbles as (

    select * from {{ touched_rows(
        ref('int_scrobbles'), 'scrobbled_date', ['week', 'month']
    ) }}

),

dated as (

    select
        listener_id,
        {{ period_start('week', 'scrobbled_date') }} as week_start,
        {{ period_start('month', 'scrobbled_date') }} as month_start,
        artist_id,
        track_id,
        album_id,
        {{ listening_seconds() }} as listening_seconds

    from scrobbles

),

final as (

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
        cast(sum(listening_seconds) as bigint) as listening_seconds

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

    -- A play without an album stands in no album's count.
    having coalesce(artist_id, track_id, album_id) is not null

)

select * from final
