-- One row per kind of period and period, from last.fm's start to the end of next year.
with

parts as (

    select * from {{ ref('int_period_parts') }}

),

final as (

    select
        period,
        period_start,
        case when period <> 'all_time' then max(part_start) end as period_end,
        case when period <> 'all_time' then {{ add_days('max(part_start)', 1) }} end
            as period_next,
        case when period <> 'all_time' then cast(count(*) as integer) end as days

    from parts

    where part = 'day'

    group by period, period_start

)

select * from final
