-- One row per kind of entity, month and place on the chart of all time at its end.
--
-- Only of the issues that this build draws up anew.
{% set size = 2 * var('chart_size') %}
with

issues as (

    select
        touched_issues.chart,
        touched_issues.issue_date,
        periods.next_period_start

    from {{ ref('int_touched_issues') }} as touched_issues

    inner join {{ ref('int_periods') }} as periods
        on
            touched_issues.issue_date = periods.period_start
            and periods.period = 'month'

    where touched_issues.period = 'all_time'

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

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

history as (

    select min(scrobbled_date) as first_date from listener_days

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
        cast(sum(listening_seconds) as bigint) as listening_seconds

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
        listening_seconds

    from played

    union all

    select
        played.listener_id,
        cast('tag' as text) as entity_type,
        main_tags.tag_id as entity_id,
        played.month_start,
        cast(sum(played.scrobbles) as bigint) as scrobbles,
        cast(sum(played.listening_seconds) as bigint) as listening_seconds

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
        cast(sum(listening_seconds) over so_far as bigint) as listening_seconds

    from entities

    window so_far as (
        partition by listener_id, entity_type, entity_id order by month_start
    )

),

counted as (

    select
        issues.chart,
        issues.issue_date,
        totals.entity_type,
        totals.entity_id,
        cast(sum(totals.scrobbles) as bigint) as scrobbles,
        cast(
            sum(
                {{ capped_scrobbles(
                    'totals.scrobbles',
                    days_between(
                        '(select history.first_date from history)',
                        'issues.next_period_start'
                    )
                ) }}
            ) as bigint
        ) as scrobbles_capped,
        cast(count(*) as bigint) as listeners,
        cast(sum(totals.listening_seconds) as bigint) as listening_seconds

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
        scrobbles_capped,
        listeners,
        listening_seconds,
        {{ places('chart, issue_date') }}

    from counted

)

select * from final where place <= {{ size }}
