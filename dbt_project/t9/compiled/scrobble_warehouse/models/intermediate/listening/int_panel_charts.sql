-- One row per kind of entity, period and entity on the panel's chart.
--
-- Artists, tracks, albums, tags and listeners, ranked among all of their kind by what
-- counts and by all plays, then cut to the first var top_charts_size places of either:
-- the tail of a week is as long as its scrobbles. What stands further down, and any
-- other span of days, is asked from fct_scrobbles.
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

-- A listener counts what the listener's artists count.
summed as (

    select
        period,
        period_start,
        entity_type,
        entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(count(*) as bigint) as listeners,
        cast(count(*) filter (where scrobbles_counted > 0) as bigint)
            as listeners_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from entities

    group by period, period_start, entity_type, entity_id

    union all

    select
        period,
        period_start,
        cast('listener' as TEXT) as entity_type,
        listener_id as entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(1 as bigint) as listeners,
        cast(case when sum(scrobbles_counted) > 0 then 1 else 0 end as bigint)
            as listeners_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from entities

    where entity_type = 'artist'

    group by period, period_start, listener_id

),

placed as (

    select
        period,
        period_start,
        entity_type,
        entity_id,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        listening_seconds,
        listening_seconds_counted,
        case
        when scrobbles_counted > 0
            then
                cast(
                    rank() over (
                        partition by period, period_start, entity_type order by scrobbles_counted desc
                    ) as integer
                )
    end as rank,
    case
        when scrobbles_counted > 0
            then
                cast(
                    row_number() over (
                        partition by period, period_start, entity_type
                        order by
                            scrobbles_counted desc,
                            listeners_counted desc,
                            scrobbles desc,
                            case entity_type when 'listener' then md5(entity_id) else entity_id end
                    ) as integer
                )
    end as place,
    case
        when scrobbles_counted > 0
            then
                100 * (
        cast(scrobbles_counted as double precision)
        / nullif(cast(sum(scrobbles_counted) over (partition by period, period_start, entity_type) as double precision), 0)
    )
    end as share_pct,
    cast(
        count(*) filter (where scrobbles_counted > 0) over (
            partition by period, period_start, entity_type
        ) as bigint
    ) as entities,
    case
        when scrobbles > 0
            then
                cast(
                    rank() over (
                        partition by period, period_start, entity_type order by scrobbles desc
                    ) as integer
                )
    end as rank_all,
    case
        when scrobbles > 0
            then
                cast(
                    row_number() over (
                        partition by period, period_start, entity_type
                        order by
                            scrobbles desc,
                            listeners desc,
                            scrobbles desc,
                            case entity_type when 'listener' then md5(entity_id) else entity_id end
                    ) as integer
                )
    end as place_all,
    case
        when scrobbles > 0
            then
                100 * (
        cast(scrobbles as double precision)
        / nullif(cast(sum(scrobbles) over (partition by period, period_start, entity_type) as double precision), 0)
    )
    end as share_all_pct,
    cast(
        count(*) filter (where scrobbles > 0) over (
            partition by period, period_start, entity_type
        ) as bigint
    ) as entities_all

    from summed

),

final as (

    select
        cast('' as TEXT) as listener_id,
        placed.entity_type,
        placed.period,
        placed.period_start,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        placed.rank,
        placed.place,
        placed.scrobbles,
        placed.scrobbles_flagged,
        placed.scrobbles_counted,
        placed.listeners,
        placed.listeners_counted,
        placed.listening_seconds,
        placed.listening_seconds_counted,
        placed.share_pct,
        placed.entities,
        placed.rank_all,
        placed.place_all,
        placed.share_all_pct,
        placed.entities_all

    from placed

    left join names
        on
            placed.entity_type = names.entity_type
            and placed.entity_id = names.entity_id

    where
        placed.place <= 1000
        or placed.place_all <= 1000

)

select * from final