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