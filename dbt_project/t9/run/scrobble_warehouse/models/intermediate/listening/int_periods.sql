drop table if exists "new"."intermediate"."int_periods" cascade;

    

    create  table
      "new"."intermediate"."int_periods"
  
    
    as (
      -- One row per kind of period and period, from last.fm's start to the end of next year.
with

parts as (

    select * from "new"."intermediate"."int_period_parts"

),

final as (

    select
        period,
        period_start,
        case when period <> 'all_time' then max(part_start) end as period_end,
        case when period <> 'all_time' then cast((max(part_start) + cast(1 as integer)) as date) end
            as next_period_start,
        case when period <> 'all_time' then cast(count(*) as integer) end as days

    from parts

    where part = 'day'

    group by period, period_start

)

select * from final
    );
    
  