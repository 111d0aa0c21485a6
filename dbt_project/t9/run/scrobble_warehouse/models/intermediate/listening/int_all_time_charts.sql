drop table if exists "new"."intermediate"."int_all_time_charts" cascade;

    

    create  table
      "new"."intermediate"."int_all_time_charts"
  
    
    as (
      -- One row per kind of entity, month and place on the chart of all time at its end.
--
-- Only of the issues that this build draws up anew. From its first play on an entity
-- has a place at the end of every month, nearly always far down; so the counts that
-- reach the chart are found first, by how many entities stand at each count.

with

 __dbt__cte__int_all_time_totals as (
-- One row per entity and month with a play of it: what is played of it so far.
--
-- Of the panel, to be drawn up as charts of all time. Empty where this build draws up
-- none, as on most days.
  -- only int_all_time_charts reads it

with

issues as (

    select
        chart,
        issue_date

    from "new"."intermediate"."int_touched_issues"

    where period = 'all_time'

),

months as (

    select * from "new"."intermediate"."int_listener_counts"

    where
        period = 'month'
        and period_start <= (select max(issues.issue_date) from issues)

),

main_tags as (

    select * from "new"."intermediate"."int_artist_main_tags"

),

-- The months before the first of these issues count as one.
played as (

    select
        listener_id,
        entity_type,
        entity_id,
        greatest(
            period_start, (select min(issues.issue_date) from issues)
        ) as month_start,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) as bigint) as listening_seconds_counted

    from months

    group by
        listener_id,
        entity_type,
        entity_id,
        greatest(period_start, (select min(issues.issue_date) from issues))

),

entities as (

    select
        listener_id,
        entity_type,
        entity_id,
        month_start,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listening_seconds,
        listening_seconds_counted

    from played

    union all

    select
        played.listener_id,
        cast('tag' as TEXT) as entity_type,
        main_tags.tag_id as entity_id,
        played.month_start,
        cast(sum(played.scrobbles) as bigint) as scrobbles,
        cast(sum(played.scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(played.scrobbles_counted) as bigint) as scrobbles_counted,
        cast(sum(played.listening_seconds) as bigint) as listening_seconds,
        cast(sum(played.listening_seconds_counted) as bigint) as listening_seconds_counted

    from played

    inner join main_tags
        on
            played.entity_type = 'artist'
            and played.entity_id = main_tags.artist_id

    group by played.listener_id, main_tags.tag_id, played.month_start

),

-- A listener is one more of the entity's in the month of the first play that counts.
begun as (

    select
        *,
        case
            when month_start = min(month_start) over of_listener then 1 else 0
        end as listeners,
        case
            when month_start = min(
                case when scrobbles_counted > 0 then month_start end
            ) over of_listener then 1 else 0
        end as listeners_counted

    from entities

    window of_listener as (partition by listener_id, entity_type, entity_id)

),

added as (

    select
        'panel_' || entity_type || 's' as chart,
        entity_type,
        entity_id,
        month_start,
        sum(scrobbles) as scrobbles,
        sum(scrobbles_flagged) as scrobbles_flagged,
        sum(scrobbles_counted) as scrobbles_counted,
        sum(listening_seconds) as listening_seconds,
        sum(listening_seconds_counted) as listening_seconds_counted,
        sum(listeners) as listeners,
        sum(listeners_counted) as listeners_counted

    from begun

    group by entity_type, entity_id, month_start

),

final as (

    select
        chart,
        entity_type,
        entity_id,
        month_start,
        lead(month_start) over so_far as next_month_start,
        cast(sum(scrobbles) over so_far as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) over so_far as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) over so_far as bigint) as scrobbles_counted,
        cast(sum(listening_seconds) over so_far as bigint) as listening_seconds,
        cast(sum(listening_seconds_counted) over so_far as bigint) as listening_seconds_counted,
        cast(sum(listeners) over so_far as bigint) as listeners,
        cast(sum(listeners_counted) over so_far as bigint) as listeners_counted

    from added

    window so_far as (
        partition by chart, entity_type, entity_id order by month_start
    )

)

select * from final
), issues as (

    select
        chart,
        issue_date

    from "new"."intermediate"."int_touched_issues"

    where period = 'all_time'

),

totals as (

    select * from __dbt__cte__int_all_time_totals

),

-- How many entities come to stand at a count in a month, less those that leave it.
arrived as (

    select chart, month_start, scrobbles_counted, 1 as entities from totals

    union all

    select chart, next_month_start, scrobbles_counted, -1 as entities
    from totals where next_month_start is not null

),

changes as (

    select
        chart,
        month_start,
        scrobbles_counted,
        cast(sum(entities) as bigint) as entities

    from arrived

    where scrobbles_counted > 0

    group by chart, month_start, scrobbles_counted

),

counts as (

    select
        issues.chart,
        issues.issue_date,
        changes.scrobbles_counted,
        cast(sum(changes.entities) as bigint) as entities

    from changes

    inner join issues
        on
            changes.chart = issues.chart
            and changes.month_start <= issues.issue_date

    group by issues.chart, issues.issue_date, changes.scrobbles_counted

),

ranks as (

    select
        chart,
        issue_date,
        scrobbles_counted,
        sum(entities) over (
            partition by chart, issue_date order by scrobbles_counted desc
        ) - entities + 1 as rank,
        sum(entities * scrobbles_counted) over (
            partition by chart, issue_date
        ) as all_counted,
        sum(entities) over (partition by chart, issue_date) as entities

    from counts

    where entities > 0

),

final as (

    select
        ranks.chart,
        ranks.issue_date,
        totals.entity_type,
        totals.entity_id,
        totals.scrobbles,
        totals.scrobbles_flagged,
        totals.scrobbles_counted,
        totals.listeners,
        totals.listeners_counted,
        totals.listening_seconds,
        totals.listening_seconds_counted,
        cast(ranks.rank as integer) as rank,
        cast(
            row_number() over (
                partition by ranks.chart, ranks.issue_date
                order by
                    totals.scrobbles_counted desc,
                    totals.listeners_counted desc,
                    totals.scrobbles desc,
                    totals.entity_id
            ) as integer
        ) as place,
        100 * (
        cast(totals.scrobbles_counted as double precision)
        / nullif(cast(ranks.all_counted as double precision), 0)
    )
            as share_pct,
        cast(ranks.entities as bigint) as entities

    from ranks

    inner join totals
        on
            ranks.chart = totals.chart
            and ranks.scrobbles_counted = totals.scrobbles_counted
            and ranks.issue_date >= totals.month_start
            and (
                totals.next_month_start is null
                or ranks.issue_date < totals.next_month_start
            )

    where ranks.rank <= 200

)

select * from final where place <= 200
    );
    
  