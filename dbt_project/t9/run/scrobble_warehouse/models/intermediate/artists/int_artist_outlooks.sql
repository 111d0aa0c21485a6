drop table if exists "new"."intermediate"."int_artist_outlooks" cascade;

    

    create  table
      "new"."intermediate"."int_artist_outlooks"
  
    
    as (
      -- One row per artist and UTC day with the outlook on the artist's next 28 days.

with

constants as (

    select * from "new"."intermediate"."int_value_constants"

),

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

states as (

    select * from "new"."intermediate"."int_artist_states"
    where value_date >= (select cast((due.first_date + cast(-28 as integer)) as date) from due)

),

variances as (

    select
        value_date,
        cast(
        percentile_cont(0.5) within group (
            order by cast(error_variance as double precision)
        ) as double precision
    ) as usual_variance

    from states

    group by value_date

),

-- The forecast of the mean of the days ahead.
outlooks as (

    select
        states.artist_id,
        states.value_date,
        states.log_attention,
        states.level
        + constants.outlook_transient * states.transient as outlook_mean,
        sqrt(
            1.1937 * 1.1937
            * (states.error_variance + variances.usual_variance) / 2
            + 0.3 * states.transient
            * 0.3 * states.transient
        ) as outlook_spread

    from states

    inner join variances on states.value_date = variances.value_date

    cross join constants

),

-- What came of it: sums of exact numbers do not depend on the order of adding.
outcomes as (

    select
        artist_id,
        value_date,
        outlook_mean,
        outlook_spread,
        lag(outlook_mean, 28) over series as forecast_mean,
        lag(outlook_spread, 28) over series as forecast_spread,
        sum(cast(log_attention as numeric(38, 20))) over days_ahead as attention_sum,
        count(log_attention) over days_ahead as attention_days

    from outlooks

    window
        series as (partition by artist_id order by value_date),
        days_ahead as (
            partition by artist_id
            order by value_date
            rows between 27 preceding and current row
        )

),

misses as (

    select
        artist_id,
        value_date,
        outlook_mean,
        outlook_spread,
        case
            when attention_days >= 17
                then
                    abs(
                        (
        cast(attention_sum as double precision)
        / nullif(cast(attention_days as double precision), 0)
    ) - forecast_mean
                    ) / forecast_spread
        end as outlook_miss

    from outcomes

    where value_date >= (select due.first_date from due)

),

known_misses as (

    select
        value_date,
        outlook_miss

    from misses

    where outlook_miss is not null
    

),

-- So many spreads to each side hold 95 of 100 outcomes of late.
widths as (

    select
        variances.value_date,
        case
            when count(*) >= 200
                then
                    greatest(
                        cast(
        percentile_cont(0.95) within group (
            order by cast(known_misses.outlook_miss as double precision)
        ) as double precision
    ),
                        2.0
                    )
            else 3.0
        end as outlook_width

    from variances

    inner join known_misses
        on
            variances.value_date >= known_misses.value_date
            and known_misses.value_date
            > cast((variances.value_date + cast(-63 as integer)) as date)

    where variances.value_date >= (select due.first_date from due)

    group by variances.value_date

),

final as (

    select
        misses.artist_id,
        misses.value_date,
        misses.outlook_mean,
        misses.outlook_spread,
        misses.outlook_miss,
        coalesce(widths.outlook_width, 3.0)
            as outlook_width

    from misses

    left join widths on misses.value_date = widths.value_date

)

select * from final
    );
    
  