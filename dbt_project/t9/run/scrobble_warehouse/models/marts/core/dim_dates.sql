drop view if exists "new"."marts"."dim_dates" cascade;

  
    
  create view "new"."marts"."dim_dates" as (
    -- One row per UTC day from last.fm's start to the end of next year.
  -- the days are stored in int_periods
with

periods as (

    select * from "new"."intermediate"."int_periods"

),

final as (

    select
        period_start as calendar_date,
        cast(extract(isodow from period_start) as integer) as weekday,
        cast(extract(isodow from period_start) as integer) >= 6 as is_weekend,
        cast(date_trunc('week', period_start) as date) as week_start,
        cast(date_trunc('month', period_start) as date) as month_start,
        cast(date_trunc('quarter', period_start) as date) as quarter_start,
        cast(date_trunc('year', period_start) as date) as year_start,
        cast(extract(week from period_start) as integer) as iso_week,
        cast(
            extract(
                year from cast((cast(date_trunc('week', period_start) as date) + cast(3 as integer)) as date)
            ) as integer
        ) as iso_year,
        cast(extract(day from period_start) as integer) as month_day,
        cast(extract(month from period_start) as integer) as month,
        cast(extract(quarter from period_start) as integer) as quarter,
        cast(extract(year from period_start) as integer) as year

    from periods

    where period = 'day'

)

select * from final
  );
