-- One row per chart, issue and position, with its movement.
{{ config(materialized='view') }}  -- the rows of int_chart_histories, not a second copy
with

histories as (

    select * from {{ ref('int_chart_histories') }}

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
        scrobbles_capped,
        listeners,
        minutes,
        share_pct,
        lead_over_2_pct,
        cast(greatest({{ var('chart_size') + 1 }} - rank, 0) as integer) as points,
        is_bubbling_under

    from histories

)

select * from final
