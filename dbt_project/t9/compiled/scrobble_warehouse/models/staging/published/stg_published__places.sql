-- One row per place of a revision of a chart's issue, published before this build.
with

source as (

    select * from "new"."raw"."published__places"

),

final as (

    select
        load_id,
        chart,
        coalesce(scope, '') as scope,
        period,
        cast(issued_on as date) as issue_date,
        cast(revision as integer) as revision,
        cast(position as integer) as position,
        cast(rank as integer) as rank,
        entity_id,
        entity as entity_name,
        artist_id,
        artist as artist_name,
        scrobbles,
        scrobbles_flagged,
        scrobbles_counted,
        listeners,
        listeners_counted,
        minutes,
        minutes_counted,
        share_pct,
        cast(previous_rank as integer) as previous_rank,
        movement,
        cast(peak_rank as integer) as peak_rank,
        issues_on_chart

    from source

)

select * from final