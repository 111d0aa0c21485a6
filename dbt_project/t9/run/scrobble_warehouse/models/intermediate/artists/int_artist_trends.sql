drop table if exists "new"."intermediate"."int_artist_trends" cascade;

    

    create  table
      "new"."intermediate"."int_artist_trends"
  
    
    as (
      -- One row per artist and UTC day with the slope of the artist's log attention.
--
-- Slopes between equal weekdays, so that a weekday's own height cancels out: Theil-Sen
-- within each season, pooled (Hirsch, Slack, Smith 1982, "Techniques of trend analysis
-- for monthly water quality data").

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

states as (

    select * from "new"."intermediate"."int_artist_states"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

slopes as (

    select
        states.artist_id,
        states.value_date,
        states.is_observed,
        (states.log_attention - lag(states.log_attention, 7) over series)
        / 7 as slope_7,
        (states.log_attention - lag(states.log_attention, 14) over series)
        / 14 as slope_14,
        (states.log_attention - lag(states.log_attention, 21) over series)
        / 21 as slope_21,
        cast(states.log_attention is not null as integer)
        + cast(lag(states.log_attention, 7) over series is not null as integer)
        + cast(lag(states.log_attention, 14) over series is not null as integer)
        + cast(lag(states.log_attention, 21) over series is not null as integer) as same_weekdays

    from states

    inner join due on states.value_date > cast((due.first_date + cast(-28 as integer)) as date)

    window series as (partition by states.artist_id order by states.value_date)

),

windows as (

    select
        artist_id,
        value_date,
        array_agg(slope_7) over (
            partition by artist_id
            order by value_date
            rows between 20 preceding and current row
        )
        || array_agg(slope_14) over (
            partition by artist_id
            order by value_date
            rows between 13 preceding and current row
        )
        || array_agg(slope_21) over (
            partition by artist_id
            order by value_date
            rows between 6 preceding and current row
        ) as slopes,
        sum(
            cast(same_weekdays * (same_weekdays - 1) as double precision)
            * (2 * same_weekdays + 5) / 18
        ) over (
            partition by artist_id
            order by value_date
            rows between 6 preceding and current row
        ) as slope_variance,
        sum(cast(is_observed as integer)) over (
            partition by artist_id
            order by value_date
            rows between 27 preceding and current row
        ) as observed_days

    from slopes

),

-- Once: PostgreSQL would otherwise sort again for each use of the sorted array.
sorted as materialized (

    select
        windows.artist_id,
        windows.value_date,
        list_sort(list_filter(windows.slopes, lambda item: item is not null)) as slopes,
        windows.observed_days >= 20
            as is_known,
        1.96 * sqrt(windows.slope_variance) as slope_spread

    from windows

    inner join due on windows.value_date >= due.first_date

),

counted as (

    select
        artist_id,
        value_date,
        slopes,
        case
            when is_known then coalesce(cast(cardinality(slopes) as integer), 0)
            else 0
        end as pairs,
        slope_spread

    from sorted

),

-- The median and the order statistics of its 95 % interval.
intervals as (

    select
        artist_id,
        value_date,
        (
            slopes[cast(floor((pairs + 1) * 0.5) as integer)]
            + slopes[cast(floor((pairs + 2) * 0.5) as integer)]
        ) / 2 as trend_slope,
        case
            when (pairs - slope_spread) / 2 >= 1
                then slopes[cast(floor((pairs - slope_spread) / 2) as integer)]
        end as trend_slope_low,
        case
            when (pairs - slope_spread) / 2 >= 1
                then slopes[cast(ceil((pairs + slope_spread) / 2 + 1) as integer)]
        end as trend_slope_high

    from counted

),

final as (

    select
        artist_id,
        value_date,
        trend_slope,
        trend_slope_low,
        trend_slope_high,
        case
            when trend_slope_low is null then 'insufficient history'
            when trend_slope_low > 0 then 'rising'
            when trend_slope_high < 0 then 'falling'
            else 'no clear trend'
        end as trend_words

    from intervals

)

select * from final
    );
    
  