-- One row per chart and issue that this build draws up anew.
--
-- Issues of periods that are over, and of such as nothing is left of.
with

answered_charts as (

    select * from {{ ref('int_answered_charts') }}

),

closed_issues as (

    select * from {{ ref('int_closed_issues') }}

),

{% if is_partial_build() %}
charts as (

    select distinct
        chart,
        entity_type

    from closed_issues

),

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

published as (

    select distinct
        chart,
        period,
        issue_date

    from {{ ref('stg_published__issues') }}

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

-- What was built and is touched, be it that nothing is left, and what closed since: a
-- build that was cut off may have drawn it up, and a rollback may have taken it back.
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
        closed_issues.chart,
        closed_issues.period,
        closed_issues.issue_date

    from closed_issues

    left join built
        on
            closed_issues.chart = built.chart
            and closed_issues.period = built.period
            and closed_issues.issue_date = built.issue_date

    left join published
        on
            closed_issues.chart = published.chart
            and closed_issues.period = published.period
            and closed_issues.issue_date = published.issue_date

    where built.chart is null or published.chart is null

),
{% else %}
panel_issues as (

    select
        chart,
        period,
        issue_date

    from closed_issues

),
{% endif %}

final as (

    select distinct
        chart,
        scope,
        cast('day' as {{ type_string() }}) as period,
        issue_date

    from answered_charts

    union all

    select
        chart,
        cast('' as {{ type_string() }}) as scope,
        period,
        issue_date

    from panel_issues

)

select * from final
