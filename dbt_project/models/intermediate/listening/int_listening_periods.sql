-- One row per listener ('' is the whole panel) and period with at least one scrobble.
--
-- The panel has all seven kinds of periods; a listener day, week, month and year. Counts
-- of different things do not add up over parts: they are the lengths of the charts and
-- lists before these are cut.
{{ config(materialized='incremental', incremental_strategy='touched_periods') }}
with

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

scrobbles as (

    select * from {{ touched_rows(
        ref('int_scrobbles'), 'scrobbled_date', ['day'], by_listener=false
    ) }}

),

panel_charts as (

    select * from {{ ref('int_panel_charts') }}

),

listener_lists as (

    select * from {{ touched_rows(
        ref('int_listener_lists'), 'period_start', ['week', 'year']
    ) }}

),

period_parts as (

    select * from {{ touched_parts('int_touched_periods') }}

    where part = 'day'

),

sums as (

    select
        coalesce(listener_days.listener_id, '') as listener_id,
        period_parts.period,
        period_parts.period_start,
        cast(sum(listener_days.scrobbles) as bigint) as scrobbles,
        cast(count(distinct listener_days.listener_id) as bigint) as listeners,
        cast(sum(listener_days.listening_seconds) as bigint) as listening_seconds,
        cast(
            sum(listener_days.scrobbles_without_duration) as bigint
        ) as scrobbles_without_duration,
        min(listener_days.scrobbled_date) as first_scrobbled_date,
        max(listener_days.scrobbled_date) as last_scrobbled_date

    from listener_days

    inner join period_parts
        on listener_days.scrobbled_date = period_parts.part_start

    group by
        grouping sets (
            (
                period_parts.period,
                period_parts.period_start,
                listener_days.listener_id
            ),
            (period_parts.period, period_parts.period_start)
        )

),

heads as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities

    from panel_charts

    where place = 1

    union all

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities

    from listener_lists

    where place = 1

),

different_things as (

    select
        listener_id,
        period,
        period_start,
        max(entities) filter (where entity_type = 'track') as tracks,
        max(entities) filter (where entity_type = 'artist') as artists,
        case
            when listener_id = ''
                then coalesce(max(entities) filter (where entity_type = 'album'), 0)
        end as albums

    from heads

    group by listener_id, period, period_start

    union all

    select
        listener_id,
        cast('day' as text) as period,
        scrobbled_date as period_start,
        tracks,
        artists,
        cast(null as bigint) as albums

    from listener_days

    union all

    select
        cast('' as text) as listener_id,
        cast('day' as text) as period,
        scrobbled_date as period_start,
        cast(count(distinct track_id) as bigint) as tracks,
        cast(count(distinct artist_id) as bigint) as artists,
        cast(count(distinct album_id) as bigint) as albums

    from scrobbles

    group by scrobbled_date

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
        sums.first_scrobbled_date,
        sums.last_scrobbled_date

    from sums

    left join different_things
        on
            sums.listener_id = different_things.listener_id
            and sums.period = different_things.period
            and sums.period_start = different_things.period_start

    where sums.listener_id = '' or sums.period in ('day', 'week', 'month', 'year')

)

select * from final
