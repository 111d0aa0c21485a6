drop view if exists "new"."marts"."listener_trends" cascade;

  
    
  create view "new"."marts"."listener_trends" as (
    -- One row per listener ('' is the panel) and period from the first to the last play.
--
-- Zero where nothing was played. A period that is not over is not compared.
  -- what is over depends on the day, not on the plays
with

series as (

    select * from "new"."intermediate"."int_listener_series"

),

periods as (

    select * from "new"."intermediate"."int_periods"

),

loads as (

    select * from "new"."staging"."stg_ledger__loads"

),

dated as (

    select
        series.listener_id,
        series.period,
        series.period_start,
        periods.period_end
        > (select max(loads.as_of_date) from loads) as is_running,
        series.is_cut,
        series.scrobbles,
        series.tracks,
        series.artists,
        series.active_listeners,
        series.listening_seconds,
        series.previous_year_scrobbles,
        series.scrobbles_clean,
        series.tracks_clean,
        series.artists_clean,
        series.active_listeners_clean,
        series.listening_seconds_clean,
        series.previous_year_scrobbles_clean

    from series

    inner join periods
        on
            series.period = periods.period
            and series.period_start = periods.period_start

),

final as (

    select
        listener_id,
        period,
        period_start,
        is_running,
        is_cut,
        scrobbles,
        tracks,
        artists,
        active_listeners,
        listening_seconds,
        previous_year_scrobbles,
        case
            when not is_running
                then 100 * (
        cast((scrobbles - previous_year_scrobbles) as double precision)
        / nullif(cast(previous_year_scrobbles as double precision), 0)
    )
        end as change_pct,
        scrobbles_clean,
        tracks_clean,
        artists_clean,
        active_listeners_clean,
        listening_seconds_clean,
        previous_year_scrobbles_clean,
        case
            when not is_running
                then 100 * (
        cast((scrobbles_clean - previous_year_scrobbles_clean) as double precision)
        / nullif(cast(previous_year_scrobbles_clean as double precision), 0)
    )
        end as change_clean_pct

    from dated

)

select * from final
  );
