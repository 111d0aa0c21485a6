-- One row per chart, issue and position, with the entity's history on the chart so far.
--
-- A partial build goes on from the state that each entity had before the first issue
-- drawn up anew; that state stands on its row here, so nothing older is read twice.
-- depends_on: "new"."intermediate"."int_touched_issues"


with

steps as (

    select * from "new"."intermediate"."int_chart_steps"

),

issues as (

    select * from "new"."intermediate"."int_chart_issues"

),

followed as (

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
        previous_issue_date,
        lag(issue_date) over entity_history as entity_issue_date,
        lag(rank) over entity_history as entity_rank,
        min(best_rank) over entity_history as peak_rank

    from steps

    window entity_history as (
        partition by chart, scope, period, is_bubbling_under, entity_id
        order by issue_date
        rows between unbounded preceding and current row
    )

),

in_runs as (

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
        is_followed,
        previous_issue_date,
        entity_issue_date,
        entity_rank,
        peak_rank,
        in_run,
        case when best_rank = peak_rank then at_best else 0 end as at_peak,
        case when best_rank = peak_rank then best_date end as peak_date,
        sum(on_chart) over entity_history as issues_on_chart,
        sum(at_1) over entity_history as issues_at_1,
        sum(
            coalesce(
                runs,
                case when entity_issue_date = previous_issue_date then 0 else 1 end
            )
        ) over entity_history as run_number

    from followed

    window entity_history as (
        partition by chart, scope, period, is_bubbling_under, entity_id
        order by issue_date
        rows between unbounded preceding and current row
    )

),

-- Absent counts as one past the end of the list.
histories as (

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
        is_followed,
        peak_rank,
        issues_on_chart,
        issues_at_1,
        run_number,
        entity_issue_date is null as is_first,
        entity_issue_date = previous_issue_date as is_back_to_back,
        case
            when previous_issue_date is null then null
            when entity_issue_date = previous_issue_date then entity_rank
            when is_bubbling_under then 201
            else 101
        end as previous_rank,
        sum(in_run) over (
            partition by
                chart, scope, period, is_bubbling_under, entity_id, run_number
            order by issue_date
            rows between unbounded preceding and current row
        ) as run_length,
        sum(at_peak) over entity_peak as issues_at_peak,
        min(peak_date) over entity_peak as peak_first_date

    from in_runs

    window entity_peak as (
        partition by chart, scope, period, is_bubbling_under, entity_id, peak_rank
        order by issue_date
        rows between unbounded preceding and current row
    )

),

revisions as (

    select
        chart,
        scope,
        period,
        issue_date,
        max(revision) as revision

    from issues

    group by chart, scope, period, issue_date

),

final as (

    select
        histories.chart,
        histories.scope,
        histories.period,
        histories.issue_date,
        coalesce(revisions.revision, 1) as revision,
        histories.position,
        histories.rank,
        histories.entity_id,
        histories.entity_name,
        histories.artist_id,
        histories.artist_name,
        cast(histories.previous_rank as integer) as previous_rank,
        case
            when histories.is_first then 'NEW'
            when not histories.is_back_to_back then 'RE'
            when histories.previous_rank > histories.rank then 'UP'
            when histories.previous_rank < histories.rank then 'DOWN'
            else 'SAME'
        end as movement,
        histories.peak_rank,
        histories.peak_first_date,
        cast(histories.issues_at_peak as bigint) as issues_at_peak,
        cast(histories.issues_on_chart as bigint) as issues_on_chart,
        cast(histories.run_number as bigint) as run_number,
        cast(histories.run_length as bigint) as run_length,
        cast(histories.issues_at_1 as bigint) as issues_at_1,
        histories.scrobbles,
        histories.scrobbles_flagged,
        histories.scrobbles_counted,
        histories.listeners,
        histories.listeners_counted,
        histories.minutes,
        histories.minutes_counted,
        histories.share_pct,
        histories.lead_over_2_pct,
        histories.is_bubbling_under

    from histories

    left join revisions
        on
            histories.chart = revisions.chart
            and histories.scope = revisions.scope
            and histories.period = revisions.period
            and histories.issue_date = revisions.issue_date

    where histories.is_followed

)

select * from final
order by chart, scope, period, issue_date, position