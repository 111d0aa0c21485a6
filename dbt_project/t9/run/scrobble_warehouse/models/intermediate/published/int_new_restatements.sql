drop table if exists "new"."intermediate"."int_new_restatements" cascade;

    

    create  table
      "new"."intermediate"."int_new_restatements"
  
    
    as (
      -- One row per thing that this version tells otherwise than the one before it.
with

 __dbt__cte__int_late_artist_answers as (
-- One row per artist and final day whose counters were published otherwise, or not.
--
-- A step of int_new_restatements.

with

infos as (

    select * from "new"."staging"."stg_lastfm__artist_infos"

    where not is_artist_alias

),

new_answers as (

    select
        infos.artist_id,
        infos.as_of_date,
        infos.listeners,
        infos.playcount,
        row_number() over (
            partition by infos.artist_id, infos.as_of_date
            order by
                infos.load_id desc,
                infos.fetched_at desc,
                infos.call_id desc,
                infos.item_index desc
        ) as recency

    from infos

    where
        not true
        and false

),

old_answers as (

    select
        infos.artist_id,
        infos.as_of_date,
        infos.listeners,
        infos.playcount,
        row_number() over (
            partition by infos.artist_id, infos.as_of_date
            order by
                infos.load_id desc,
                infos.fetched_at desc,
                infos.call_id desc,
                infos.item_index desc
        ) as recency

    from infos

    where
        true
        and (infos.artist_id, infos.as_of_date) in (
            select
                new_answers.artist_id,
                new_answers.as_of_date
            from new_answers
        )

),

final as (

    select
        new_answers.artist_id,
        new_answers.as_of_date as restated_date,
        old_answers.listeners as old_listeners,
        old_answers.playcount as old_playcount,
        new_answers.listeners as new_listeners,
        new_answers.playcount as new_playcount

    from new_answers

    left join old_answers
        on
            new_answers.artist_id = old_answers.artist_id
            and new_answers.as_of_date = old_answers.as_of_date
            and old_answers.recency = 1

    where
        new_answers.recency = 1
        and (
            old_answers.listeners is distinct from new_answers.listeners
            or old_answers.playcount is distinct from new_answers.playcount
        )

)

select * from final
),  __dbt__cte__int_new_entity_restatements as (
-- One row per entity that has another name, other main tags, or is another artist.
--
-- A step of int_new_restatements. What was logged last about the same thing is not said
-- again, as after a rollback.

with

restated as (

    select * from "new"."intermediate"."int_restated_entities"

),

names as (

    select * from "new"."intermediate"."int_entity_names"

),

aliases as (

    select * from "new"."staging"."stg_lastfm__artist_aliases"

),

tag_names as (

    select
        main_tags.artist_id,
        string_agg( tags.tag_name, ', ' order by tags.tag_id) as value

    from "new"."intermediate"."int_artist_main_tags" as main_tags

    inner join "new"."intermediate"."int_tags" as tags on main_tags.tag_id = tags.tag_id

    where
        main_tags.artist_id in (
            select restated.entity_id from restated
            where restated.change = 'main_tags'
        )

    group by main_tags.artist_id

),

tag_charts as (

    select
        string_agg(distinct chart || ' ' || period, ', ' order by chart || ' ' || period) as charts_changed,
        cast(count(*) as bigint) as issues_changed

    from "new"."intermediate"."int_new_chart_issues"

    where chart = 'panel_tags' and revision > 1 and finality = 'final'

),

logged as (

    select
        subject,
        entity_type,
        entity_id,
        new_value,
        row_number() over (
            partition by subject, entity_type, entity_id order by edition desc
        ) as recency

    from "new"."staging"."stg_published__restatements"

),

changes as (

    select
        restated.change,
        restated.entity_type,
        restated.entity_id,
        restated.old_value,
        coalesce(names.entity_name, restated.old_value) as entity_name,
        case restated.change
            when 'name' then names.entity_name
            when 'main_tags' then tag_names.value
            when 'merged' then targets.entity_name
        end as new_value

    from restated

    left join names
        on
            restated.entity_type = names.entity_type
            and restated.entity_id = names.entity_id

    left join tag_names on restated.entity_id = tag_names.artist_id

    left join aliases on restated.entity_id = aliases.alias_artist_id

    left join names as targets
        on targets.entity_type = 'artist' and aliases.artist_id = targets.entity_id

    -- Tags count where the artist was played.
    where
        restated.change <> 'main_tags'
        or restated.entity_id in (
            select plays.artist_id from "new"."intermediate"."int_scrobbles" as plays
        )

),

named as (

    select
        case change
            when 'name' then 'renamed'
            when 'main_tags' then 'retagged'
            else 'merged'
        end as subject,
        entity_type,
        entity_id,
        entity_name,
        old_value,
        new_value

    from changes

    where old_value is distinct from new_value

),

final as (

    select
        named.subject,
        named.entity_type,
        named.entity_id,
        named.entity_name,
        named.old_value,
        named.new_value,
        case named.subject
            when 'renamed' then 'last.fm writes the name otherwise'
            when 'retagged' then 'last.fm lists other tags first'
            else 'the name is corrected to another artist'
        end as reason,
        case
            when named.subject = 'retagged'
                then (select tag_charts.charts_changed from tag_charts)
        end as charts_changed,
        case
            when named.subject = 'retagged'
                then (select tag_charts.issues_changed from tag_charts)
            else 0
        end as issues_changed

    from named

    left join logged
        on
            named.subject = logged.subject
            and named.entity_type = logged.entity_type
            and named.entity_id = logged.entity_id
            and logged.recency = 1

    where logged.new_value is distinct from named.new_value

)

select * from final
), restated_plays as (

    select * from "new"."intermediate"."int_restated_plays"

),

late_answers as (

    select * from __dbt__cte__int_late_artist_answers

),

restated_entities as (

    select * from __dbt__cte__int_new_entity_restatements

),

listeners as (

    select * from "new"."intermediate"."int_listeners"

),

artists as (

    select * from "new"."intermediate"."int_artists"

),

restated_issues as (

    select * from "new"."intermediate"."int_new_chart_issues"

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
            else cast(restated_plays.published_plays as TEXT) || ' plays'
        end as old_value,
        case restated_plays.subject
            when 'edited' then restated_plays.first_new_title
            when 'went'
                then
                    cast(
                        restated_plays.published_plays - restated_plays.plays
                        as TEXT
                    )
                    || ' plays'
            else
                cast(
                    restated_plays.published_plays + restated_plays.plays
                    as TEXT
                )
                || ' plays'
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
        cast(late_answers.old_listeners as TEXT) || ' listeners, '
        || cast(late_answers.old_playcount as TEXT) || ' plays'
            as old_value,
        cast(late_answers.new_listeners as TEXT) || ' listeners, '
        || cast(late_answers.new_playcount as TEXT) || ' plays'
            as new_value,
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
        string_agg( chart, ', ' order by chart) as charts_changed,
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
        cast(null as TEXT) as charts_changed,
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
        '20261201-000001' as version,
        cast(1 as bigint) as edition,
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
    );
    
  