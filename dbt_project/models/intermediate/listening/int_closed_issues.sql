-- One row per chart of the panel and issue whose period is over.
--
-- The chart of all time has an issue at the end of each month with a play.
with

listening as (

    select * from {{ ref('int_listening_periods') }}

    where listener_id = '' and period <> 'day'

),

periods as (

    select * from {{ ref('int_periods') }}

),

charts as (

    select
        cast('panel_' || kind || 's' as {{ type_string() }}) as chart,
        cast(kind as {{ type_string() }}) as entity_type

    from (values ('artist'), ('track'), ('album'), ('tag')) as kinds (kind)

),

closed_issues as (

    select
        listening.period,
        listening.period_start as issue_date

    from listening

    inner join periods
        on
            listening.period = periods.period
            and listening.period_start = periods.period_start

    where periods.next_period_start <= {{ as_of_date() }}

    union all

    select
        cast('all_time' as {{ type_string() }}) as period,
        listening.period_start as issue_date

    from listening

    inner join periods
        on
            listening.period = periods.period
            and listening.period_start = periods.period_start

    where
        listening.period = 'month'
        and periods.next_period_start <= {{ as_of_date() }}

),

final as (

    select
        charts.chart,
        charts.entity_type,
        closed_issues.period,
        closed_issues.issue_date

    from closed_issues

    cross join charts

)

select * from final
