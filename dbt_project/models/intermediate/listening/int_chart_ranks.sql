-- One row per chart, issue and position that this build has to follow.
--
-- The issues drawn up anew, and those after the first of them, whose history follows
-- from it.
-- depends_on: {{ ref('top_charts') }}
{% set size = 2 * var('chart_size') %}
{% set kinds = ['artist', 'track', 'album', 'tag'] %}
with

touched_issues as (

    select * from {{ ref('int_touched_issues') }}

),

answered_charts as (

    select * from {{ ref('int_answered_charts') }}

),

top_charts as (

    select * from {{ ref('top_charts') }}

),

all_scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

months as (

    select * from {{ ref('int_listener_months') }}

    where 1 = 1 {{ and_before_all_time_ends('month_start') }}

),

main_tags as (

    select * from {{ ref('int_artist_main_tags') }}

),

{{ entity_numbers() }}

{{ numbered_counts('months', ['month_start']) }}

panel_charts as (

    select
        'panel_' || top_charts.entity_type || 's' as chart,
        top_charts.period,
        top_charts.period_start as issue_date,
        top_charts.place as position,
        top_charts.rank,
        top_charts.entity_id,
        top_charts.entity_name,
        top_charts.artist_id,
        top_charts.artist_name,
        top_charts.scrobbles,
        top_charts.scrobbles_capped,
        top_charts.listeners,
        top_charts.listening_seconds,
        top_charts.share_pct

    from top_charts

    inner join touched_issues
        on
            touched_issues.chart = 'panel_' || top_charts.entity_type || 's'
            and touched_issues.period = top_charts.period
            and touched_issues.issue_date = top_charts.period_start

    where top_charts.place <= {{ size }} and top_charts.period <> 'all_time'

),

-- The charts of all time, as they stood at the end of each month.
all_time_issues as (

    select distinct
        chart,
        issue_date,
        {{ listening_period_next('month', 'issue_date') }} as next_date

    from touched_issues

    where period = 'all_time'

),

spans as (

    select min(scrobbled_date) as first_date from all_scrobbles

),

{% for kind in kinds %}
{% set counted = 'artist' if kind == 'tag' else kind %}
{{ kind }}_span as (

    select
        min(issue_date) as first_issue_date,
        max(next_date) as end_date

    from all_time_issues

    where chart = 'panel_{{ kind }}s'

),

-- The months before the first of these issues count as one.
{{ kind }}_months as (

    select
        months.listener_number,
        {{ 'numbered_main_tags.tag_number' if kind == 'tag'
            else 'months.entity_number' }} as entity_number,
        greatest(months.month_start, span.first_issue_date) as month_start,
        cast(sum(months.scrobbles) as bigint) as scrobbles,
        cast(sum(months.listening_seconds) as bigint) as listening_seconds

    from numbered_months as months

    cross join {{ kind }}_span as span

    {% if kind == 'tag' %}
    inner join numbered_main_tags
        on months.entity_number = numbered_main_tags.artist_number
    {% endif %}

    where
        months.entity_type = '{{ counted }}'
        and months.month_start < span.end_date

    group by
        months.listener_number,
        {{ 'numbered_main_tags.tag_number' if kind == 'tag'
            else 'months.entity_number' }},
        greatest(months.month_start, span.first_issue_date)

),

-- What a listener has played of it so far, from each month with a play to the next.
{{ kind }}_totals as {{ worked_out_once() }} (

    select
        listener_number,
        entity_number,
        month_start,
        lead(month_start) over (
            partition by listener_number, entity_number
            order by month_start
        ) as next_month_start,
        cast(sum(scrobbles) over (
            partition by listener_number, entity_number
            order by month_start
        ) as bigint) as scrobbles,
        cast(sum(listening_seconds) over (
            partition by listener_number, entity_number
            order by month_start
        ) as bigint) as listening_seconds

    from {{ kind }}_months

),

{{ kind }}_listeners as (

    select
        issues.issue_date,
        {{ days_between('spans.first_date', 'issues.next_date') }} as days,
        totals.listener_number,
        totals.entity_number,
        totals.scrobbles,
        totals.listening_seconds

    from {{ kind }}_totals as totals

    inner join all_time_issues as issues
        on
            issues.chart = 'panel_{{ kind }}s'
            and totals.month_start <= issues.issue_date
            and (
                totals.next_month_start is null
                or totals.next_month_start > issues.issue_date
            )

    cross join spans

),

{{ kind }}_counts as (

    select
        issue_date,
        entity_number,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum({{ capped_scrobbles('scrobbles', 'days') }}) as bigint)
            as scrobbles_capped,
        cast(count(*) as bigint) as listeners,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from {{ kind }}_listeners

    group by issue_date, entity_number

),

{{ kind }}_sums as (

    select
        issue_date,
        sum(scrobbles_capped) as all_scrobbles_capped

    from {{ kind }}_counts

    group by issue_date

),

{{ kind }}_places as (

    select
        issue_date,
        entity_number,
        scrobbles,
        scrobbles_capped,
        listeners,
        listening_seconds,
        rank() over (
            partition by issue_date
            order by scrobbles_capped desc
        ) as rank,
        row_number() over (
            partition by issue_date
            order by
                scrobbles_capped desc,
                listeners desc,
                scrobbles desc,
                entity_number
        ) as place

    from {{ kind }}_counts

),

{% endfor %}
all_time_charts as (

{% for kind in kinds %}
    select
        cast('{{ kind }}' as text) as entity_type,
        cast('panel_{{ kind }}s' as text) as chart,
        places.issue_date,
        places.place,
        places.rank,
        places.entity_number,
        places.scrobbles,
        places.scrobbles_capped,
        places.listeners,
        places.listening_seconds,
        100 * {{ ratio('places.scrobbles_capped', 'sums.all_scrobbles_capped') }}
            as share_pct

    from {{ kind }}_places as places

    inner join {{ kind }}_sums as sums on places.issue_date = sums.issue_date

    where places.place <= {{ size }}

    {{ 'union all' if not loop.last }}

{% endfor %}
),

drawn as (

    select
        chart,
        scope,
        cast('day' as text) as period,
        issue_date,
        position,
        position as rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        cast(null as bigint) as scrobbles,
        cast(null as bigint) as scrobbles_capped,
        listeners,
        cast(null as bigint) as listening_seconds,
        cast(null as double precision) as share_pct

    from answered_charts

    union all

    select
        chart,
        cast('' as text) as scope,
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
        listening_seconds,
        share_pct

    from panel_charts

    union all

    select
        all_time_charts.chart,
        cast('' as text) as scope,
        cast('all_time' as text) as period,
        all_time_charts.issue_date,
        cast(all_time_charts.place as integer) as position,
        cast(all_time_charts.rank as integer) as rank,
        entity_names.entity_id,
        entity_names.entity_name,
        entity_names.artist_id,
        entity_names.artist_name,
        all_time_charts.scrobbles,
        all_time_charts.scrobbles_capped,
        all_time_charts.listeners,
        all_time_charts.listening_seconds,
        all_time_charts.share_pct

    from all_time_charts

    left join entity_names
        on
            all_time_charts.entity_type = entity_names.entity_type
            and all_time_charts.entity_number = entity_names.entity_number

),

runners_up as (

    select
        chart,
        scope,
        period,
        issue_date,
        scrobbles_capped

    from drawn

    where position = 2

),

{% if is_partial_build() %}
first_touched as (

    select
        chart,
        scope,
        period,
        min(issue_date) as issue_date

    from touched_issues

    group by chart, scope, period

),

built as (

    select * from {{ built_relation('fct_chart_positions') }}

),

-- As the build before left them.
later as (

    select
        built.chart,
        built.scope,
        built.period,
        built.issue_date,
        built.position,
        built.rank,
        built.entity_id,
        built.entity_name,
        built.artist_id,
        built.artist_name,
        built.scrobbles,
        built.scrobbles_capped,
        built.listeners,
        built.minutes,
        built.share_pct,
        built.lead_over_2_pct

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

{% endif %}
final as (

    select
        drawn.chart,
        drawn.scope,
        drawn.period,
        drawn.issue_date,
        drawn.position,
        drawn.rank,
        drawn.entity_id,
        drawn.entity_name,
        drawn.artist_id,
        drawn.artist_name,
        drawn.scrobbles,
        drawn.scrobbles_capped,
        drawn.listeners,
        cast(floor({{ ratio('drawn.listening_seconds', 60) }}) as bigint) as minutes,
        drawn.share_pct,
        case
            when drawn.position = 1
                then
                    100 * {{ ratio(
                        '(drawn.scrobbles_capped - runners_up.scrobbles_capped)',
                        'runners_up.scrobbles_capped'
                    ) }}
        end as lead_over_2_pct,
        true as is_drawn

    from drawn

    left join runners_up
        on
            drawn.chart = runners_up.chart
            and drawn.scope = runners_up.scope
            and drawn.period = runners_up.period
            and drawn.issue_date = runners_up.issue_date

    {% if is_partial_build() %}
    union all

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
        false as is_drawn

    from later
    {% endif %}

)

select * from final
