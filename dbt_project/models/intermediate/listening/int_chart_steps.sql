-- One row per chart, issue and position that this build follows, or the last before.
--
-- What each row adds to its entity's history: the issues drawn up now, those after the
-- first of them, which stay as they are, and the state of each entity before them.
with

drawn as (

    select * from {{ ref('int_drawn_issues') }}

),

{% if is_partial_build() %}
touched_issues as (

    select * from {{ ref('int_touched_issues') }}

),

built as (

    select * from {{ source('built', 'int_chart_histories') }}

),

first_touched as (

    select
        chart,
        scope,
        period,
        min(issue_date) as issue_date

    from touched_issues

    group by chart, scope, period

),

later as (

    select
        {{ chart_position_columns('built') }}

    from built

    inner join first_touched
        on
            built.chart = first_touched.chart
            and built.scope = first_touched.scope
            and built.period = first_touched.period
            and built.issue_date > first_touched.issue_date

    left join touched_issues
        on
            built.chart = touched_issues.chart
            and built.scope = touched_issues.scope
            and built.period = touched_issues.period
            and built.issue_date = touched_issues.issue_date

    where touched_issues.chart is null

),

before as (

    select
        built.chart,
        built.scope,
        built.period,
        built.issue_date,
        built.rank,
        built.entity_id,
        built.is_bubbling_under,
        built.peak_rank,
        built.peak_first_date,
        built.issues_at_peak,
        built.issues_on_chart,
        built.run_number,
        built.run_length,
        built.issues_at_1,
        row_number() over (
            partition by
                built.chart,
                built.scope,
                built.period,
                built.is_bubbling_under,
                built.entity_id
            order by built.issue_date desc
        ) as recency

    from built

    inner join first_touched
        on
            built.chart = first_touched.chart
            and built.scope = first_touched.scope
            and built.period = first_touched.period
            and built.issue_date < first_touched.issue_date

),

{% endif %}
positions as (

    select {{ chart_position_columns() }} from drawn

    {% if is_partial_build() %}
    union all

    select {{ chart_position_columns() }} from later
    {% endif %}

),

steps as (

    select
        {{ chart_position_columns() }},
        position > {{ var('chart_size') }} as is_bubbling_under,
        rank as best_rank,
        issue_date as best_date,
        cast(1 as bigint) as at_best,
        cast(1 as bigint) as on_chart,
        cast(null as bigint) as runs,
        cast(1 as bigint) as in_run,
        cast(case when rank = 1 then 1 else 0 end as bigint) as at_1,
        true as is_followed

    from positions

    {% if is_partial_build() %}
    union all

    select
        chart,
        scope,
        period,
        issue_date,
        cast(null as integer) as position,
        rank,
        entity_id,
        cast(null as {{ type_string() }}) as entity_name,
        cast(null as {{ type_string() }}) as artist_id,
        cast(null as {{ type_string() }}) as artist_name,
        {%- for column in [
            'scrobbles', 'scrobbles_flagged', 'scrobbles_counted',
            'listeners', 'listeners_counted', 'minutes', 'minutes_counted',
        ] %}
        cast(null as bigint) as {{ column }},
        {%- endfor %}
        cast(null as {{ type_double() }}) as share_pct,
        cast(null as {{ type_double() }}) as lead_over_2_pct,
        is_bubbling_under,
        peak_rank as best_rank,
        peak_first_date as best_date,
        issues_at_peak as at_best,
        issues_on_chart as on_chart,
        run_number as runs,
        run_length as in_run,
        issues_at_1 as at_1,
        false as is_followed

    from before

    where recency = 1
    {% endif %}

),

final as (

    select
        {{ chart_position_columns() }},
        is_bubbling_under,
        best_rank,
        best_date,
        at_best,
        on_chart,
        runs,
        in_run,
        at_1,
        is_followed,
        -- Every issue stands here: the first rank before this one is the issue before.
        max(issue_date) over (
            partition by chart, scope, period
            order by issue_date
            range between unbounded preceding and interval '1 day' preceding
        ) as previous_issue_date

    from steps

)

select * from final
