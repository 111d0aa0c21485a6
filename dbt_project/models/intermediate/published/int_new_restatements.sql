-- One row per thing that this version tells otherwise than the one before it.
with

restated_plays as (

    select * from {{ ref('int_restated_plays') }}

),

late_answers as (

    select * from {{ ref('int_late_artist_answers') }}

),

restated_entities as (

    select * from {{ ref('int_new_entity_restatements') }}

),

listeners as (

    select * from {{ ref('int_listeners') }}

),

artists as (

    select * from {{ ref('int_artists') }}

),

restated_issues as (

    select * from {{ ref('int_new_chart_issues') }}

    where revision > 1 and finality = 'final' and period <> 'day'

),

of_plays as (

    select
        restated_plays.subject,
        'listener' as entity_type,
        restated_plays.listener_id as entity_id,
        listeners.listener_name as entity_name,
        restated_plays.restated_date,
        restated_plays.plays,
        case
            when restated_plays.subject = 'edited' then restated_plays.first_old_title
            else restated_plays.published_plays || ' plays'
        end as old_value,
        case restated_plays.subject
            when 'edited' then restated_plays.first_new_title
            when 'went'
                then (restated_plays.published_plays - restated_plays.plays) || ' plays'
            else (restated_plays.published_plays + restated_plays.plays) || ' plays'
        end as new_value,
        case restated_plays.subject
            when 'came_late' then 'last.fm sent them after the day was final'
            when 'went' then 'last.fm has them no longer: the listener deleted them'
            when 'edited' then 'the listener changed title, artist or album'
        end as reason

    from restated_plays

    inner join listeners on restated_plays.listener_id = listeners.listener_id

),

of_counters as (

    select
        'counters' as subject,
        'artist' as entity_type,
        late_answers.artist_id as entity_id,
        artists.artist_name as entity_name,
        late_answers.restated_date,
        cast(null as bigint) as plays,
        late_answers.old_listeners || ' listeners, '
        || late_answers.old_playcount || ' plays' as old_value,
        late_answers.new_listeners || ' listeners, '
        || late_answers.new_playcount || ' plays' as new_value,
        case
            when late_answers.old_listeners is null
                then 'the day was answered after a later one'
            else 'the day was answered again with other counters'
        end as reason

    from late_answers

    inner join artists on late_answers.artist_id = artists.artist_id

),

-- A day changes the issues that it is a day of, and all charts of all time since.
charts_of_days as (

    select
        days.restated_date,
        restated_issues.chart || ' ' || restated_issues.period as chart,
        cast(count(*) as bigint) as issues

    from (select distinct restated_date from of_plays) as days

    inner join restated_issues
        on
            days.restated_date <= restated_issues.last_date
            and (
                days.restated_date >= restated_issues.issue_date
                or restated_issues.period = 'all_time'
            )

    group by
        days.restated_date,
        restated_issues.chart || ' ' || restated_issues.period

),

summed as (

    select
        restated_date,
        {{ joined_text('chart', ', ', 'chart') }} as charts_changed,
        cast(sum(issues) as bigint) as issues_changed

    from charts_of_days

    group by restated_date

),

together as (

    select
        of_plays.*,
        summed.charts_changed,
        coalesce(summed.issues_changed, 0) as issues_changed

    from of_plays

    left join summed on of_plays.restated_date = summed.restated_date

    union all

    select
        of_counters.*,
        cast(null as {{ type_string() }}) as charts_changed,
        cast(0 as bigint) as issues_changed

    from of_counters

    union all

    select
        subject,
        entity_type,
        entity_id,
        entity_name,
        cast(null as date) as restated_date,
        cast(null as bigint) as plays,
        old_value,
        new_value,
        reason,
        charts_changed,
        issues_changed

    from restated_entities

),

final as (

    select
        '{{ this_version().name }}' as version,
        cast({{ this_version().edition }} as bigint) as edition,
        subject,
        entity_type,
        entity_id,
        entity_name,
        restated_date,
        plays,
        old_value,
        new_value,
        reason,
        charts_changed,
        issues_changed

    from together

)

select * from final
