-- One row per place of a chart issue's revision that a later revision replaced.
  -- what was published, less what still stands
with

places as (

    select * from "new"."staging"."stg_published__places"

),

issues as (

    select * from "new"."intermediate"."int_chart_issues"

),

newest as (

    select
        chart,
        scope,
        period,
        issue_date,
        max(revision) as revision

    from issues

    group by chart, scope, period, issue_date

    having max(revision) > 1

),

final as (

    select
        places.chart,
        places.scope,
        places.period,
        places.issue_date,
        places.revision,
        places.position,
        places.rank,
        places.entity_id,
        places.entity_name,
        places.artist_id,
        places.artist_name,
        places.previous_rank,
        places.movement,
        places.peak_rank,
        places.issues_on_chart,
        places.scrobbles,
        places.scrobbles_flagged,
        places.scrobbles_counted,
        places.listeners,
        places.listeners_counted,
        places.minutes,
        places.minutes_counted,
        places.share_pct,
        places.position > 100 as is_bubbling_under

    from places

    inner join newest
        on
            places.chart = newest.chart
            and places.scope = newest.scope
            and places.period = newest.period
            and places.issue_date = newest.issue_date
            and places.revision < newest.revision

)

select * from final