-- One row per kind of entity, month and place on the chart of all time at its end.
--
-- Only of the issues that this build draws up anew.
{% set size = 2 * var('chart_size') %}
with

issues as (

    select
        chart,
        issue_date

    from {{ ref('int_touched_issues') }}

    where period = 'all_time'

),

-- Where no issue is drawn up, as on most days, no month is read.
months as (

    select * from {{ ref('int_listener_counts') }}

    where
        period = 'month'
        and period_start <= (select max(issues.issue_date) from issues)

),

main_tags as (

    select * from {{ ref('int_artist_main_tags') }}

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
        cast('tag' as text) as entity_type,
        main_tags.tag_id as entity_id,
        played.month_start,
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

    group by played.listener_id, main_tags.tag_id, played.month_start

),

-- What a listener has played of it so far, from each month with a play to the next.
totals as (

    select
        entity_type,
        entity_id,
        month_start,
        lead(month_start) over so_far as next_month_start,
        cast(sum(scrobbles) over so_far as bigint) as scrobbles,
        cast(sum(scrobbles_flagged) over so_far as bigint) as scrobbles_flagged,
        cast(sum(scrobbles_counted) over so_far as bigint) as scrobbles_counted,
        cast(sum(listening_seconds) over so_far as bigint) as listening_seconds,
        cast(
            sum(listening_seconds_counted) over so_far as bigint
        ) as listening_seconds_counted

    from entities

    window so_far as (
        partition by listener_id, entity_type, entity_id order by month_start
    )

),

summed as (

    select
        issues.chart,
        issues.issue_date,
        totals.entity_type,
        totals.entity_id,
        cast(sum(totals.scrobbles) as bigint) as scrobbles,
        cast(sum(totals.scrobbles_flagged) as bigint) as scrobbles_flagged,
        cast(sum(totals.scrobbles_counted) as bigint) as scrobbles_counted,
        cast(count(*) as bigint) as listeners,
        cast(count(*) filter (where totals.scrobbles_counted > 0) as bigint)
            as listeners_counted,
        cast(sum(totals.listening_seconds) as bigint) as listening_seconds,
        cast(sum(totals.listening_seconds_counted) as bigint)
            as listening_seconds_counted

    from totals

    inner join issues
        on
            issues.chart = 'panel_' || totals.entity_type || 's'
            and totals.month_start <= issues.issue_date
            and (
                totals.next_month_start is null
                or totals.next_month_start > issues.issue_date
            )

    group by
        issues.chart,
        issues.issue_date,
        totals.entity_type,
        totals.entity_id

),

final as (

    select
        chart,
        issue_date,
        entity_type,
        entity_id,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        listening_seconds,
        listening_seconds_counted,
        {{ places('chart, issue_date') }}

    from summed

)

select * from final where place <= {{ size }}
