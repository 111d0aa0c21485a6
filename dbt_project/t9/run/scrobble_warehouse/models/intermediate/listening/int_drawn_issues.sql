drop table if exists "new"."intermediate"."int_drawn_issues" cascade;

    

    create  table
      "new"."intermediate"."int_drawn_issues"
  
    
    as (
      -- One row per chart, issue and position that this build draws up.
with

touched_issues as (

    select * from "new"."intermediate"."int_touched_issues"

),

answered_charts as (

    select * from "new"."intermediate"."int_answered_charts"

),

panel_charts as (

    select * from "new"."intermediate"."int_panel_charts"

),

all_time_charts as (

    select * from "new"."intermediate"."int_all_time_charts"

),

names as (

    select * from "new"."intermediate"."int_entity_names"

),

drawn as (

    select
        chart,
        scope,
        cast('day' as TEXT) as period,
        issue_date,
        position,
        position as rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        cast(null as bigint) as scrobbles,
        cast(null as bigint) as scrobbles_flagged,
        cast(null as bigint) as scrobbles_counted,
        listeners,
        cast(null as bigint) as listeners_counted,
        cast(null as bigint) as listening_seconds,
        cast(null as bigint) as listening_seconds_counted,
        cast(null as double precision) as share_pct

    from answered_charts

    union all

    select
        touched_issues.chart,
        touched_issues.scope,
        touched_issues.period,
        touched_issues.issue_date,
        panel_charts.place as position,
        panel_charts.rank,
        panel_charts.entity_id,
        panel_charts.entity_name,
        panel_charts.artist_id,
        panel_charts.artist_name,
        panel_charts.scrobbles,
        panel_charts.scrobbles_flagged,
        panel_charts.scrobbles_counted,
        panel_charts.listeners,
        panel_charts.listeners_counted,
        panel_charts.listening_seconds,
        panel_charts.listening_seconds_counted,
        panel_charts.share_pct

    from panel_charts

    inner join touched_issues
        on
            touched_issues.chart = 'panel_' || panel_charts.entity_type || 's'
            and panel_charts.period = touched_issues.period
            and panel_charts.period_start = touched_issues.issue_date

    where
        panel_charts.place <= 200
        and touched_issues.period <> 'all_time'

    union all

    select
        all_time_charts.chart,
        cast('' as TEXT) as scope,
        cast('all_time' as TEXT) as period,
        all_time_charts.issue_date,
        all_time_charts.place as position,
        all_time_charts.rank,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        all_time_charts.scrobbles,
        all_time_charts.scrobbles_flagged,
        all_time_charts.scrobbles_counted,
        all_time_charts.listeners,
        all_time_charts.listeners_counted,
        all_time_charts.listening_seconds,
        all_time_charts.listening_seconds_counted,
        all_time_charts.share_pct

    from all_time_charts

    left join names
        on
            all_time_charts.entity_type = names.entity_type
            and all_time_charts.entity_id = names.entity_id

),

runners_up as (

    select
        chart,
        scope,
        period,
        issue_date,
        scrobbles_counted

    from drawn

    where position = 2

),

final as (

    select
        drawn.chart,
        drawn.scope,
        drawn.period,
        drawn.issue_date,
        drawn.position,
        drawn.rank,
        drawn.entity_id,
        drawn.entity_name,
        drawn.artist_id,
        drawn.artist_name,
        drawn.scrobbles,
        drawn.scrobbles_flagged,
        drawn.scrobbles_counted,
        drawn.listeners,
        drawn.listeners_counted,
        cast(
        (cast(drawn.listening_seconds as hugeint) * 1)
        // nullif(cast(60 as hugeint), 0) as bigint
    ) as minutes,
        cast(
        (cast(drawn.listening_seconds_counted as hugeint) * 1)
        // nullif(cast(60 as hugeint), 0) as bigint
    ) as minutes_counted,
        drawn.share_pct,
        case
            when drawn.position = 1
                then
                    100 * (
        cast((drawn.scrobbles_counted - runners_up.scrobbles_counted) as double precision)
        / nullif(cast(runners_up.scrobbles_counted as double precision), 0)
    )
        end as lead_over_2_pct

    from drawn

    left join runners_up
        on
            drawn.chart = runners_up.chart
            and drawn.scope = runners_up.scope
            and drawn.period = runners_up.period
            and drawn.issue_date = runners_up.issue_date

)

select * from final
    );
    
  