drop view if exists "new"."marts"."chart_issues" cascade;

  
    
  create view "new"."marts"."chart_issues" as (
    -- One row per chart issue and revision: which version published it, and what changed.
  -- the rows of int_chart_issues, not a second copy
with

issues as (

    select * from "new"."intermediate"."int_chart_issues"

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

    from issues

)

select * from final
  );
