-- One row per day, week, month or year and each period that it is a part of.
--
-- What is counted by parts is summed to a period by joining them. From last.fm's start
-- to the end of next year.
with

days as (

    select
        cast(
        unnest(generate_series(cast('2002-10-01' as date), cast(cast(date_trunc('year', cast((cast('2026-12-01' as date) + cast(366 as integer)) as date)) as date) + interval '1 year' - interval '1 day' as date), interval '1 day'))
        as date
    ) as day

),

kinds as (

    select
        cast(part as TEXT) as part,
        cast(period as TEXT) as period

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
        case kinds.part
        when 'day' then days.day
        when 'week' then cast(date_trunc('week', days.day) as date)
        when 'month' then cast(date_trunc('month', days.day) as date)
        when 'quarter' then cast(date_trunc('quarter', days.day) as date)
        when 'year' then cast(date_trunc('year', days.day) as date)
        when 'half_year' then make_date(
            cast(extract(year from days.day) as integer),
            case when extract(month from days.day) < 7 then 1 else 7 end,
            1
        )
        else cast('2002-10-01' as date)
    end as part_start,
        kinds.period,
        case kinds.period
        when 'day' then days.day
        when 'week' then cast(date_trunc('week', days.day) as date)
        when 'month' then cast(date_trunc('month', days.day) as date)
        when 'quarter' then cast(date_trunc('quarter', days.day) as date)
        when 'year' then cast(date_trunc('year', days.day) as date)
        when 'half_year' then make_date(
            cast(extract(year from days.day) as integer),
            case when extract(month from days.day) < 7 then 1 else 7 end,
            1
        )
        else cast('2002-10-01' as date)
    end as period_start

    from days

    cross join kinds

)

select * from final