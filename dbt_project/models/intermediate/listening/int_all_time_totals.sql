-- One row per entity and month with a play of it: what is played of it so far.
--
-- Of the panel, to be drawn up as charts of all time. Empty where this build draws up
-- none, as on most days.
{{ config(materialized='ephemeral') }}  -- only int_all_time_charts reads it
{% set measures = [
    'scrobbles', 'scrobbles_flagged', 'scrobbles_counted',
    'listening_seconds', 'listening_seconds_counted',
] %}
with

issues as (

    select
        chart,
        issue_date

    from {{ ref('int_touched_issues') }}

    where period = 'all_time'

),

months as (

    select * from {{ ref('int_listener_counts') }}

    where
        period = 'month'
        and period_start <= (select max(issues.issue_date) from issues)

),

main_tags as (

    select * from {{ ref('int_artist_main_tags') }}

),

-- The months before the first of these issues count as one.
played as (

    select
        listener_id,
        entity_type,
        entity_id,
        greatest(
            period_start, (select min(issues.issue_date) from issues)
        ) as month_start,
    {%- for measure in measures %}
        cast(sum({{ measure }}) as bigint) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}

    from months

    group by
        listener_id,
        entity_type,
        entity_id,
        greatest(period_start, (select min(issues.issue_date) from issues))

),

entities as (

    select
        listener_id,
        entity_type,
        entity_id,
        month_start,
        {{ measures | join(',\n        ') }}

    from played

    union all

    select
        played.listener_id,
        cast('tag' as {{ type_string() }}) as entity_type,
        main_tags.tag_id as entity_id,
        played.month_start,
    {%- for measure in measures %}
        cast(sum(played.{{ measure }}) as bigint) as {{ measure }}
        {{- ',' if not loop.last }}
    {%- endfor %}

    from played

    inner join main_tags
        on
            played.entity_type = 'artist'
            and played.entity_id = main_tags.artist_id

    group by played.listener_id, main_tags.tag_id, played.month_start

),

-- A listener is one more of the entity's in the month of the first play that counts.
begun as (

    select
        *,
        case
            when month_start = min(month_start) over of_listener then 1 else 0
        end as listeners,
        case
            when month_start = min(
                case when scrobbles_counted > 0 then month_start end
            ) over of_listener then 1 else 0
        end as listeners_counted

    from entities

    window of_listener as (partition by listener_id, entity_type, entity_id)

),

added as (

    select
        'panel_' || entity_type || 's' as chart,
        entity_type,
        entity_id,
        month_start,
    {%- for measure in measures + ['listeners', 'listeners_counted'] %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}

    from begun

    group by entity_type, entity_id, month_start

),

final as (

    select
        chart,
        entity_type,
        entity_id,
        month_start,
        lead(month_start) over so_far as next_month_start,
    {%- for measure in measures + ['listeners', 'listeners_counted'] %}
        cast(sum({{ measure }}) over so_far as bigint) as {{ measure }}
        {{- ',' if not loop.last }}
    {%- endfor %}

    from added

    window so_far as (
        partition by chart, entity_type, entity_id order by month_start
    )

)

select * from final
