-- One row per chart and issue that this build draws up anew.
-- depends_on: {{ ref('int_restated_entities') }}
{% set periods = ['week', 'month', 'quarter', 'half_year', 'year'] %}
{% set kinds = ['artist', 'track', 'album', 'tag'] %}
with

answered_charts as (

    select * from {{ ref('int_answered_charts') }}

),

totals as (

    select * from {{ ref('totals') }}

),

touched_days as (

    select * from {{ ref('int_touched_days') }}

),

{% if is_partial_build() %}
-- As the build before left it.
built as (

    select distinct
        chart,
        period,
        issue_date

    from {{ built_relation('fct_chart_positions') }}

    where chart in ('panel_artists', 'panel_tracks', 'panel_albums', 'panel_tags')

),

{% endif %}
charts as (

{% for kind in kinds %}
    select
        cast('panel_{{ kind }}s' as text) as chart,
        cast('{{ kind }}' as text) as entity_type

    {{ 'union all' if not loop.last }}

{% endfor %}
),

-- Periods that are over.
closed as (

{% for period in periods %}
    select
        period,
        period_start as issue_date

    from totals

    where
        period = '{{ period }}'
        and {{ listening_period_next(period, 'period_start') }} <= {{ as_of_date() }}

    union all

{% endfor %}
    select
        cast('all_time' as text) as period,
        cast(
            {{ each_period(
                period_start('month', 'first_day.scrobbled_date'),
                period_start('month', 'all_time.period_end'),
                '1 month'
            ) }} as date
        ) as issue_date

    from totals as all_time

    cross join (
        select min(period_start) as scrobbled_date

        from totals

        where period = 'day'
    ) as first_day

    where all_time.period = 'all_time'

),

closed_issues as (

    select
        period,
        issue_date

    from closed

    where
        period <> 'all_time'
        or {{ listening_period_next('month', 'issue_date') }} <= {{ as_of_date() }}

),

{% if is_partial_build() %}
touched_periods as (

{% for period in periods %}
    select distinct
        cast('{{ period }}' as text) as period,
        {{ listening_period_start(period, 'scrobbled_date') }} as issue_date

    from touched_days

    union all

{% endfor %}
    select distinct
        built.period,
        built.issue_date

    from built

    cross join (
        select min(scrobbled_date) as scrobbled_date from touched_days
    ) as first_touched

    where
        built.period = 'all_time'
        and built.issue_date
        >= {{ period_start('month', 'first_touched.scrobbled_date') }}

),

-- What was built and is touched, be it that nothing is left, and what closed since.
panel_issues as (

    select
        built.chart,
        built.period,
        built.issue_date

    from built

    inner join touched_periods
        on
            built.period = touched_periods.period
            and built.issue_date = touched_periods.issue_date

    union

    select
        built.chart,
        built.period,
        built.issue_date

    from built

    where
        built.chart = 'panel_tags'
        and exists (
            select 1 from {{ ref('int_restated_entities') }}
            where change = 'main_tags'
        )

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
