-- One row per chart, issue and position that this build follows, or the last before.
--
-- What each row adds to its entity's history: the issues drawn up now, those after the
-- first of them, which stay as they are, and the state of each entity before them.
with

drawn as (

    select * from "new"."intermediate"."int_drawn_issues"

),


positions as (

    select chart,
        scope,
        period,
        issue_date,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        minutes,
        minutes_counted,
        share_pct,
        lead_over_2_pct from drawn

    

),

steps as (

    select
        chart,
        scope,
        period,
        issue_date,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        minutes,
        minutes_counted,
        share_pct,
        lead_over_2_pct,
        position > 100 as is_bubbling_under,
        rank as best_rank,
        issue_date as best_date,
        cast(1 as bigint) as at_best,
        cast(1 as bigint) as on_chart,
        cast(null as bigint) as runs,
        cast(1 as bigint) as in_run,
        cast(case when rank = 1 then 1 else 0 end as bigint) as at_1,
        true as is_followed

    from positions

    

),

final as (

    select
        chart,
        scope,
        period,
        issue_date,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        minutes,
        minutes_counted,
        share_pct,
        lead_over_2_pct,
        is_bubbling_under,
        best_rank,
        best_date,
        at_best,
        on_chart,
        runs,
        in_run,
        at_1,
        is_followed,
        -- Every issue stands here: the first rank before this one is the issue before.
        max(issue_date) over (
            partition by chart, scope, period
            order by issue_date
            range between unbounded preceding and interval '1 day' preceding
        ) as previous_issue_date

    from steps

)

select * from final