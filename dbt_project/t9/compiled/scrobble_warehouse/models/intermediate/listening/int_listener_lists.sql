-- One row per listener, kind of entity, period and place.
--
-- What the listener played most, counted from all plays, then cut to the first var
-- listener_top_size places.
-- depends_on: "new"."intermediate"."int_touched_charts"

with

 __dbt__cte__int_listener_entities as (
-- One row per listener, period and artist, track, album or tag played in it.
--
-- Of weeks, months and longer periods; in a partial build only of those it makes anew.
  -- three rows a play: each reader sums its own
with

counts as (

    select * from "new"."intermediate"."int_listener_counts"

),

years as (

    select * from "new"."intermediate"."int_listener_years"

),

period_parts as (

    select * from "new"."intermediate"."int_period_parts"

),

main_tags as (

    select * from "new"."intermediate"."int_artist_main_tags"

),

parts as (

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
        listening_seconds_counted

    from counts

    union all

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
        listening_seconds_counted

    from years

),

played as (

    select
        parts.listener_id,
        period_parts.period,
        period_parts.period_start,
        parts.entity_type,
        parts.entity_id,
        cast(sum(parts.scrobbles) as bigint) as scrobbles,
        cast(sum(parts.scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(parts.scrobbles_counted) as bigint) as scrobbles_counted,
        cast(sum(parts.listening_seconds) as bigint) as listening_seconds,
        cast(
            sum(parts.listening_seconds_counted) as bigint
        ) as listening_seconds_counted

    from parts

    inner join period_parts
        on
            parts.period = period_parts.part
            and parts.period_start = period_parts.part_start

    group by
        parts.listener_id,
        period_parts.period,
        period_parts.period_start,
        parts.entity_type,
        parts.entity_id

),

tagged as (

    select
        played.listener_id,
        played.period,
        played.period_start,
        cast('tag' as TEXT) as entity_type,
        main_tags.tag_id as entity_id,
        cast(sum(played.scrobbles) as bigint) as scrobbles,
        cast(sum(played.scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(played.scrobbles_counted) as bigint) as scrobbles_counted,
        cast(sum(played.listening_seconds) as bigint) as listening_seconds,
        cast(
            sum(played.listening_seconds_counted) as bigint
        ) as listening_seconds_counted

    from played

    inner join main_tags
        on
            played.entity_type = 'artist'
            and played.entity_id = main_tags.artist_id

    group by
        played.listener_id,
        played.period,
        played.period_start,
        main_tags.tag_id

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
        listening_seconds_counted

    from played

    union all

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
        listening_seconds_counted

    from tagged

)

select * from final
), entities as (

    select * from __dbt__cte__int_listener_entities

),

names as (

    select * from "new"."intermediate"."int_entity_names"

),

placed as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        rank() over (
            partition by listener_id, period, period_start, entity_type
            order by scrobbles desc
        ) as rank,
        row_number() over (
            partition by listener_id, period, period_start, entity_type
            order by scrobbles desc, entity_id
        ) as place,
        sum(scrobbles) over (
            partition by listener_id, period, period_start, entity_type
        ) as all_scrobbles,
        count(*) over (
            partition by listener_id, period, period_start, entity_type
        ) as entities

    from entities

),

final as (

    select
        placed.listener_id,
        placed.entity_type,
        placed.period,
        placed.period_start,
        cast(placed.rank as integer) as rank,
        cast(placed.place as integer) as place,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        placed.scrobbles,
        100 * (
        cast(placed.scrobbles as double precision)
        / nullif(cast(placed.all_scrobbles as double precision), 0)
    ) as share_pct,
        cast(placed.entities as bigint) as entities

    from placed

    left join names
        on
            placed.entity_type = names.entity_type
            and placed.entity_id = names.entity_id

    where placed.place <= 50

)

select * from final