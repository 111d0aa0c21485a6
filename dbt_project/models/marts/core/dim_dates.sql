-- One row per UTC day from last.fm's start to the end of next year.
{{ config(materialized='view') }}  -- the days are stored in int_periods
with

periods as (

    select * from {{ ref('int_periods') }}

),

final as (

    select
        period_start as calendar_date,
        {{ iso_weekday('period_start') }} as weekday,
        {{ iso_weekday('period_start') }} >= 6 as is_weekend,
        {{ period_start('week', 'period_start') }} as week_start,
        {{ period_start('month', 'period_start') }} as month_start,
        {{ period_start('quarter', 'period_start') }} as quarter_start,
        {{ period_start('year', 'period_start') }} as year_start,
        cast(extract(week from period_start) as integer) as iso_week,
        cast(
            extract(
                year from {{ add_days(period_start("week", "period_start"), 3) }}
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
