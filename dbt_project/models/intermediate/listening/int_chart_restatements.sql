-- One row per chart issue that a later load changed, and build that found it out.
--
-- The only record of what an issue said before, hence never rebuilt: a full build keeps
-- it as it is.
{{
    config(
        materialized='noted',
        grain=['chart', 'scope', 'period', 'issue_date'],
        is_log=true
    )
}}
with

touched_issues as (

    select * from {{ ref('int_touched_issues') }}

),

drawn as (

    select * from {{ ref('int_drawn_issues') }}

),

built as (

    select * from {{ source('built', 'int_chart_histories') }}

),

last_load as (

    select max(load_id) as load_id from {{ ref('stg_ledger__loads') }}

),

before as (

    select
        built.chart,
        built.scope,
        built.period,
        built.issue_date,
        built.position,
        built.rank,
        built.entity_id,
        built.entity_name,
        built.scrobbles,
        built.listeners

    from built

    inner join touched_issues
        on
            built.chart = touched_issues.chart
            and built.scope = touched_issues.scope
            and built.period = touched_issues.period
            and built.issue_date = touched_issues.issue_date

),

issues_before as (

    select distinct
        chart,
        scope,
        period,
        issue_date

    from before

),

now as (

    select
        drawn.chart,
        drawn.scope,
        drawn.period,
        drawn.issue_date,
        drawn.position,
        drawn.rank,
        drawn.entity_id,
        drawn.entity_name,
        drawn.scrobbles,
        drawn.listeners

    from drawn

    inner join issues_before
        on
            drawn.chart = issues_before.chart
            and drawn.scope = issues_before.scope
            and drawn.period = issues_before.period
            and drawn.issue_date = issues_before.issue_date

),

compared as (

    select
        coalesce(before.chart, now.chart) as chart,
        coalesce(before.scope, now.scope) as scope,
        coalesce(before.period, now.period) as period,
        coalesce(before.issue_date, now.issue_date) as issue_date,
        case
            when
                before.entity_id is distinct from now.entity_id
                or before.rank is distinct from now.rank
                or before.scrobbles is distinct from now.scrobbles
                or before.listeners is distinct from now.listeners
                then 1
            else 0
        end as is_changed,
        case when before.position = 1 then before.entity_name end as first_before,
        case when now.position = 1 then now.entity_name end as first_now

    from before

    full outer join now
        on
            before.chart = now.chart
            and before.scope = now.scope
            and before.period = now.period
            and before.issue_date = now.issue_date
            and before.position = now.position

),

changed as (

    select
        chart,
        scope,
        period,
        issue_date,
        cast(sum(is_changed) as bigint) as changed_positions,
        max(first_before) as first_before,
        max(first_now) as first_now

    from compared

    group by chart, scope, period, issue_date

    having sum(is_changed) > 0

),

final as (

    select
        last_load.load_id,
        changed.chart,
        changed.scope,
        changed.period,
        changed.issue_date,
        changed.changed_positions,
        changed.first_before,
        changed.first_now

    from changed

    cross join last_load

)

select * from final
