-- One row per chart issue that a later load changed, and build that found it out.
--
-- The only record of what an issue said before, hence never rebuilt: a full build keeps
-- it as it is.
-- depends_on: {{ ref('int_chart_ranks') }}
-- depends_on: {{ ref('int_touched_issues') }}
-- depends_on: {{ ref('stg_ledger__loads') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false
    )
}}

{% if is_partial_build() %}

with

touched_issues as (

    select * from {{ ref('int_touched_issues') }}

),

ranks as (

    select * from {{ ref('int_chart_ranks') }}

    where is_drawn

),

built as (

    select * from {{ built_relation('fct_chart_positions') }}

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
        ranks.chart,
        ranks.scope,
        ranks.period,
        ranks.issue_date,
        ranks.position,
        ranks.rank,
        ranks.entity_id,
        ranks.entity_name,
        ranks.scrobbles,
        ranks.listeners

    from ranks

    inner join issues_before
        on
            ranks.chart = issues_before.chart
            and ranks.scope = issues_before.scope
            and ranks.period = issues_before.period
            and ranks.issue_date = issues_before.issue_date

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
        cast({{ built_through() }} as bigint) as built_through,
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

    left join {{ this }} as known
        on
            known.built_through = {{ built_through() }}
            and changed.chart = known.chart
            and changed.scope = known.scope
            and changed.period = known.period
            and changed.issue_date = known.issue_date

    where known.chart is null

)

select * from final

{% else %}

select
    cast(null as bigint) as built_through,
    cast(null as bigint) as load_id,
    cast(null as text) as chart,
    cast(null as text) as scope,
    cast(null as text) as period,
    cast(null as date) as issue_date,
    cast(null as bigint) as changed_positions,
    cast(null as text) as first_before,
    cast(null as text) as first_now

where 1 = 0

{% endif %}
