-- One row per day, week, month or year and each period that it is a part of.
--
-- What is counted by parts is summed to a period by joining them. From last.fm's start
-- to the end of next year.
with

days as (

    select
        {{ each_day(
            "cast('" ~ var('first_scrobble_date') ~ "' as date)",
            year_end(add_days(as_of_date(), 366))
        ) }} as day

),

kinds as (

    select
        cast(part as {{ type_string() }}) as part,
        cast(period as {{ type_string() }}) as period

    from (
        values
        ('day', 'day'),
        ('day', 'week'),
        ('day', 'month'),
        ('day', 'quarter'),
        ('day', 'half_year'),
        ('day', 'year'),
        ('day', 'all_time'),
        ('week', 'week'),
        ('month', 'month'),
        ('month', 'quarter'),
        ('month', 'half_year'),
        ('year', 'year'),
        ('year', 'all_time')
    ) as pairs (part, period)

),

final as (

    select distinct
        kinds.part,
        {{ start_of_period('kinds.part', 'days.day') }} as part_start,
        kinds.period,
        {{ start_of_period('kinds.period', 'days.day') }} as period_start

    from days

    cross join kinds

)

select * from final
