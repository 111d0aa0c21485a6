-- One row per chart and issue that this build draws up anew.
--
-- Issues of periods that are over, and of such as nothing is left of.
with

answered_charts as (

    select * from {{ ref('int_answered_charts') }}

),

listening as (

    select * from {{ ref('int_listening_periods') }}

    where listener_id = '' and period <> 'day'

),

periods as (

    select * from {{ ref('int_periods') }}

),

charts as (

    select
        cast('panel_' || kind || 's' as text) as chart,
        cast(kind as text) as entity_type

    from (values ('artist'), ('track'), ('album'), ('tag')) as kinds (kind)

),

-- The chart of all time has an issue at the end of each month.
history as (

    select
        {{ period_start('month', 'min(first_scrobbled_date)') }} as first_month,
        max(last_scrobbled_date) as last_date

    from listening

    where period = 'all_time'

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

    where periods.period_next <= {{ as_of_date() }}

    union all

    select
        cast('all_time' as text) as period,
        periods.period_start as issue_date

    from periods

    inner join history
        on
            history.first_month <= periods.period_start
            and history.last_date >= periods.period_start

    where
        periods.period = 'month'
        and periods.period_next <= {{ as_of_date() }}

),

{% if is_partial_build() %}
touched_charts as (

    select * from {{ ref('int_touched_charts') }}

    where listener_id = ''

),

touched_periods as (

    select * from {{ ref('int_touched_periods') }}

    where listener_id = ''

),

built as (

    select distinct
        chart,
        period,
        issue_date

    from {{ source('built', 'int_chart_histories') }}

    where scope = '' and period <> 'day'

),

-- A play changes the charts of all time from its month on; a tag changes its own chart.
touched as (

    select
        charts.chart,
        touched_charts.period,
        touched_charts.period_start as issue_date

    from touched_charts

    cross join charts

    left join touched_periods
        on
            touched_charts.period = touched_periods.period
            and touched_charts.period_start = touched_periods.period_start

    where
        touched_charts.period <> 'all_time'
        and (touched_periods.period is not null or charts.entity_type = 'tag')

    union

    select
        built.chart,
        built.period,
        built.issue_date

    from built

    inner join charts on built.chart = charts.chart

    cross join (
        select min(period_start) as period_start
        from touched_periods
        where period = 'month'
    ) as first_touched

    cross join (
        select min(period_start) as period_start
        from touched_charts
        where period = 'month'
    ) as first_retagged

    where
        built.period = 'all_time'
        and built.issue_date >= case
            when charts.entity_type = 'tag' then first_retagged.period_start
            else first_touched.period_start
        end

),

-- What was built and is touched, be it that nothing is left, and what closed since.
panel_issues as (

    select
        built.chart,
        built.period,
        built.issue_date

    from built

    inner join touched
        on
            built.chart = touched.chart
            and built.period = touched.period
            and built.issue_date = touched.issue_date

    union

    select
        charts.chart,
        closed_issues.period,
        closed_issues.issue_date

    from closed_issues

    cross join charts

    left join built
        on
            charts.chart = built.chart
            and closed_issues.period = built.period
            and closed_issues.issue_date = built.issue_date

    where built.chart is null

),
{% else %}
panel_issues as (

    select
        charts.chart,
        closed_issues.period,
        closed_issues.issue_date

    from closed_issues

    cross join charts

),
{% endif %}

final as (

    select distinct
        chart,
        scope,
        cast('day' as text) as period,
        issue_date

    from answered_charts

    union all

    select
        chart,
        cast('' as text) as scope,
        period,
        issue_date

    from panel_issues

)

select * from final
