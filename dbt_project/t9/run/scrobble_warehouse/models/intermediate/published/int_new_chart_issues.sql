drop table if exists "new"."intermediate"."int_new_chart_issues" cascade;

    

    create  table
      "new"."intermediate"."int_new_chart_issues"
  
    
    as (
      -- One row per chart issue that this version is the first to publish as it is.
--
-- Its first revision, or one whose places differ from those of the newest revision.
with

drawn as (

    select * from "new"."intermediate"."int_drawn_issues"

),

published_issues as (

    select
        chart,
        scope,
        period,
        issue_date,
        max(revision) as revision

    from "new"."staging"."stg_published__issues"

    group by chart, scope, period, issue_date

),

-- Those that this build draws up, be it that nothing is left of them.
known as (

    select
        published_issues.chart,
        published_issues.scope,
        published_issues.period,
        published_issues.issue_date,
        published_issues.revision

    from published_issues
    
),

before as (

    select
        places.chart,
        places.scope,
        places.period,
        places.issue_date,
        places.position,
        places.rank,
        places.entity_id,
        places.entity_name,
        places.scrobbles,
        places.scrobbles_counted,
        places.listeners,
        places.listeners_counted

    from "new"."staging"."stg_published__places" as places

    inner join known
        on
            places.chart = known.chart
            and places.scope = known.scope
            and places.period = known.period
            and places.issue_date = known.issue_date
            and places.revision = known.revision

),

compared as (

    select
        coalesce(drawn.chart, before.chart) as chart,
        coalesce(drawn.scope, before.scope) as scope,
        coalesce(drawn.period, before.period) as period,
        coalesce(drawn.issue_date, before.issue_date) as issue_date,
        case when drawn.chart is null then 0 else 1 end as is_place,
        case
            when
                before.entity_id is distinct from drawn.entity_id
                or before.rank is distinct from drawn.rank
                or before.scrobbles is distinct from drawn.scrobbles
                or before.scrobbles_counted is distinct from drawn.scrobbles_counted
                or before.listeners is distinct from drawn.listeners
                or before.listeners_counted is distinct from drawn.listeners_counted
                then 1
            else 0
        end as is_changed,
        case when before.position = 1 then before.entity_name end as first_before,
        case when drawn.position = 1 then drawn.entity_name end as first_now

    from drawn

    full outer join before
        on
            drawn.chart = before.chart
            and drawn.scope = before.scope
            and drawn.period = before.period
            and drawn.issue_date = before.issue_date
            and drawn.position = before.position

),

changed as (

    select
        chart,
        scope,
        period,
        issue_date,
        cast(sum(is_place) as bigint) as places,
        cast(sum(is_changed) as bigint) as changed_places,
        max(first_before) as first_before,
        max(first_now) as first_now

    from compared

    group by chart, scope, period, issue_date

    having sum(is_changed) > 0

),

months_and_more as (

    select * from "new"."intermediate"."int_periods"

    where period <> 'day'

),

dated as (

    select
        changed.chart,
        changed.scope,
        changed.period,
        changed.issue_date,
        changed.places,
        changed.changed_places,
        changed.first_before,
        changed.first_now,
        coalesce(known.revision, 0) + 1 as revision,
        coalesce(months_and_more.period_end, changed.issue_date) as last_date

    from changed

    left join known
        on
            changed.chart = known.chart
            and changed.scope = known.scope
            and changed.period = known.period
            and changed.issue_date = known.issue_date

    -- An issue of the chart of all time ends with its month.
    left join months_and_more
        on
            months_and_more.period = case
                when changed.period = 'all_time' then 'month' else changed.period
            end
            and changed.issue_date = months_and_more.period_start

),

final as (

    select
        '20261201-000001' as version,
        cast(1 as bigint) as edition,
        chart,
        scope,
        period,
        issue_date,
        last_date,
        cast(revision as integer) as revision,
        case when last_date <= cast((cast('2026-12-01' as date) + cast(-2 as integer)) as date) then 'final' else 'provisional' end
            as finality,
        places,
        changed_places,
        first_before,
        first_now

    from dated

)

select * from final
    );
    
  