-- One row per chart, issue and position, with its movement.
  -- the rows of int_chart_histories, not a second copy
with

histories as (

    select * from "new"."intermediate"."int_chart_histories"

),

final as (

    select
        chart,
        scope,
        period,
        issue_date,
        revision,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        previous_rank,
        movement,
        cast(previous_rank - rank as integer) as rank_change,
        peak_rank,
        peak_first_date,
        issues_at_peak,
        issues_on_chart,
        run_number,
        run_length,
        issues_at_1,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        minutes,
        minutes_counted,
        share_pct,
        lead_over_2_pct,
        case
            when not is_bubbling_under
                then cast(101 - rank as integer)
        end as points,
        is_bubbling_under

    from histories

)

select * from final