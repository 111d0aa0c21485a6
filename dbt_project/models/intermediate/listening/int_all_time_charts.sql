-- One row per kind of entity, month and place on the chart of all time at its end.
--
-- Only of the issues that this build draws up anew. From its first play on an entity
-- has a place at the end of every month, nearly always far down; so the counts that
-- reach the chart are found first, by how many entities stand at each count.
{% set size = 2 * var('chart_size') %}
with

issues as (

    select
        chart,
        issue_date

    from {{ ref('int_touched_issues') }}

    where period = 'all_time'

),

totals as (

    select * from {{ ref('int_all_time_totals') }}

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
        100 * {{ ratio('totals.scrobbles_counted', 'ranks.all_counted') }}
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

    where ranks.rank <= {{ size }}

)

select * from final where place <= {{ size }}
