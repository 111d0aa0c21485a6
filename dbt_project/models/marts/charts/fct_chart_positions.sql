-- One row per chart, issue and position, with its movement.
--
-- A partial build goes on from the state that each entity had before the first issue
-- drawn up anew; that state stands on its row here, so nothing older is read twice.
-- depends_on: {{ ref('int_touched_issues') }}
-- depends_on: {{ ref('int_restated_entities') }}
-- depends_on: {{ ref('int_entity_names') }}
{% set size = var('chart_size') %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['chart', 'scope', 'period', 'issue_date'],
            ['entity_id'],
        ]),
        pre_hook="{{ delete_before_insert(from_first_touched_issue()) }}",
        post_hook="{{ rename_restated(
            \"case chart when 'panel_artists' then 'artist'\"
            ~ \" when 'panel_tracks' then 'track' when 'panel_albums' then 'album'\"
            ~ \" when 'panel_tags' then 'tag' end\"
        ) }}"
    )
}}

with

ranks as (

    select * from {{ ref('int_chart_ranks') }}

),

restatements as (

    select * from {{ ref('int_chart_restatements') }}

),

positions as (

    select
        chart,
        scope,
        period,
        issue_date,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        scrobbles_capped,
        listeners,
        minutes,
        share_pct,
        lead_over_2_pct,
        position > {{ size }} as is_bubbling_under

    from ranks

),

{% if is_partial_build() %}
first_touched as (

    select
        chart,
        scope,
        period,
        min(issue_date) as issue_date

    from {{ ref('int_touched_issues') }}

    group by chart, scope, period

),

before as (

    select
        built.chart,
        built.scope,
        built.period,
        built.is_bubbling_under,
        built.issue_date,
        built.entity_id,
        built.rank,
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

    from {{ this }} as built

    inner join first_touched
        on
            built.chart = first_touched.chart
            and built.scope = first_touched.scope
            and built.period = first_touched.period
            and built.issue_date < first_touched.issue_date

),

{% endif %}
-- What each row adds to its entity's history; the last one before stands for all.
steps as (

    select
        chart,
        scope,
        period,
        is_bubbling_under,
        issue_date,
        entity_id,
        rank,
        rank as best_rank,
        issue_date as best_date,
        cast(1 as bigint) as at_best,
        cast(1 as bigint) as on_chart,
        cast(null as bigint) as runs,
        cast(1 as bigint) as in_run,
        cast(case when rank = 1 then 1 else 0 end as bigint) as at_1,
        true as is_new

    from positions

    {% if is_partial_build() %}
    union all

    select
        chart,
        scope,
        period,
        is_bubbling_under,
        issue_date,
        entity_id,
        rank,
        peak_rank as best_rank,
        peak_first_date as best_date,
        issues_at_peak as at_best,
        issues_on_chart as on_chart,
        run_number as runs,
        run_length as in_run,
        issues_at_1 as at_1,
        false as is_new

    from before

    where recency = 1
    {% endif %}

),

issues as (

    select distinct
        chart,
        scope,
        period,
        issue_date

    from steps

),

ordered_issues as (

    select
        chart,
        scope,
        period,
        issue_date,
        lag(issue_date) over (
            partition by chart, scope, period order by issue_date
        ) as previous_issue_date

    from issues

),

followed as (

    select
        steps.chart,
        steps.scope,
        steps.period,
        steps.is_bubbling_under,
        steps.issue_date,
        steps.entity_id,
        steps.rank,
        steps.best_rank,
        steps.best_date,
        steps.at_best,
        steps.on_chart,
        steps.runs,
        steps.in_run,
        steps.at_1,
        steps.is_new,
        ordered_issues.previous_issue_date,
        lag(steps.issue_date) over entity_history as entity_issue_date,
        lag(steps.rank) over entity_history as entity_rank,
        min(steps.best_rank) over entity_history as peak_rank

    from steps

    inner join ordered_issues
        on
            steps.chart = ordered_issues.chart
            and steps.scope = ordered_issues.scope
            and steps.period = ordered_issues.period
            and steps.issue_date = ordered_issues.issue_date

    window entity_history as (
        partition by
            steps.chart,
            steps.scope,
            steps.period,
            steps.is_bubbling_under,
            steps.entity_id
        order by steps.issue_date
        rows between unbounded preceding and current row
    )

),

in_runs as (

    select
        chart,
        scope,
        period,
        is_bubbling_under,
        issue_date,
        entity_id,
        rank,
        peak_rank,
        is_new,
        previous_issue_date,
        entity_issue_date,
        entity_rank,
        in_run,
        case when best_rank = peak_rank then at_best else 0 end as at_peak,
        case when best_rank = peak_rank then best_date end as peak_date,
        sum(on_chart) over entity_history as issues_on_chart,
        sum(at_1) over entity_history as issues_at_1,
        sum(
            coalesce(
                runs,
                case
                    when entity_issue_date = previous_issue_date then 0
                    else 1
                end
            )
        ) over entity_history as run_number

    from followed

    window entity_history as (
        partition by chart, scope, period, is_bubbling_under, entity_id
        order by issue_date
        rows between unbounded preceding and current row
    )

),

histories as (

    select
        chart,
        scope,
        period,
        is_bubbling_under,
        issue_date,
        entity_id,
        rank,
        peak_rank,
        is_new,
        previous_issue_date,
        entity_issue_date,
        entity_rank,
        issues_on_chart,
        issues_at_1,
        run_number,
        sum(in_run) over (
            partition by
                chart, scope, period, is_bubbling_under, entity_id, run_number
            order by issue_date
            rows between unbounded preceding and current row
        ) as run_length,
        sum(at_peak) over entity_peak as issues_at_peak,
        min(peak_date) over entity_peak as peak_first_date

    from in_runs

    window entity_peak as (
        partition by chart, scope, period, is_bubbling_under, entity_id, peak_rank
        order by issue_date
        rows between unbounded preceding and current row
    )

),

-- Absent counts as one past the end of the list.
moved as (

    select
        chart,
        scope,
        period,
        is_bubbling_under,
        issue_date,
        entity_id,
        rank,
        peak_rank,
        peak_first_date,
        issues_at_peak,
        issues_on_chart,
        run_number,
        run_length,
        issues_at_1,
        entity_issue_date is null as is_first,
        entity_issue_date = previous_issue_date as is_back_to_back,
        case
            when previous_issue_date is null then null
            when entity_issue_date = previous_issue_date then entity_rank
            when is_bubbling_under then {{ 2 * size + 1 }}
            else {{ size + 1 }}
        end as previous_rank

    from histories

    where is_new

),

revisions as (

    select
        chart,
        scope,
        period,
        issue_date,
        count(*) as restatements

    from restatements

    group by chart, scope, period, issue_date

),

final as (

    select
        positions.chart,
        positions.scope,
        positions.period,
        positions.issue_date,
        cast(1 + coalesce(revisions.restatements, 0) as integer) as revision,
        positions.position,
        positions.rank,
        positions.entity_id,
        positions.entity_name,
        positions.artist_id,
        positions.artist_name,
        cast(moved.previous_rank as integer) as previous_rank,
        case
            when moved.is_first then 'NEW'
            when not moved.is_back_to_back then 'RE'
            when moved.previous_rank > moved.rank then 'UP'
            when moved.previous_rank < moved.rank then 'DOWN'
            else 'SAME'
        end as movement,
        cast(moved.previous_rank - moved.rank as integer) as rank_change,
        moved.peak_rank,
        moved.peak_first_date,
        cast(moved.issues_at_peak as bigint) as issues_at_peak,
        cast(moved.issues_on_chart as bigint) as issues_on_chart,
        cast(moved.run_number as bigint) as run_number,
        cast(moved.run_length as bigint) as run_length,
        cast(moved.issues_at_1 as bigint) as issues_at_1,
        positions.scrobbles,
        positions.scrobbles_capped,
        positions.listeners,
        positions.minutes,
        positions.share_pct,
        positions.lead_over_2_pct,
        cast(greatest({{ size + 1 }} - positions.rank, 0) as integer) as points,
        positions.is_bubbling_under

    from positions

    inner join moved
        on
            positions.chart = moved.chart
            and positions.scope = moved.scope
            and positions.period = moved.period
            and positions.is_bubbling_under = moved.is_bubbling_under
            and positions.issue_date = moved.issue_date
            and positions.entity_id = moved.entity_id

    left join revisions
        on
            positions.chart = revisions.chart
            and positions.scope = revisions.scope
            and positions.period = revisions.period
            and positions.issue_date = revisions.issue_date

)

select * from final
