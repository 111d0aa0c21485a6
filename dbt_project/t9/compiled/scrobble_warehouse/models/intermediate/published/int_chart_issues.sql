-- One row per chart issue and revision, those of this version included.
  -- what was published, and what this version adds
with

published as (

    select * from "new"."staging"."stg_published__issues"

),

new as (

    select * from "new"."intermediate"."int_new_chart_issues"

),

final as (

    select
        chart,
        scope,
        period,
        issue_date,
        revision,
        version,
        edition,
        finality,
        places,
        changed_places,
        first_before,
        first_now

    from published

    union all

    select
        chart,
        scope,
        period,
        issue_date,
        revision,
        version,
        edition,
        finality,
        places,
        changed_places,
        first_before,
        first_now

    from new

)

select * from final