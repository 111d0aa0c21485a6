-- One row per entity that has another name, other main tags, or is another artist.
--
-- A step of int_new_restatements. What was logged last about the same thing is not said
-- again, as after a rollback.
{{ config(materialized='ephemeral') }}
{%- set chart_name = "chart || ' ' || period" %}
with

restated as (

    select * from {{ ref('int_restated_entities') }}

),

names as (

    select * from {{ ref('int_entity_names') }}

),

aliases as (

    select * from {{ ref('stg_lastfm__artist_aliases') }}

),

tag_names as (

    select
        main_tags.artist_id,
        {{ joined_text('tags.tag_name', ', ', 'tags.tag_id') }} as value

    from {{ ref('int_artist_main_tags') }} as main_tags

    inner join {{ ref('int_tags') }} as tags on main_tags.tag_id = tags.tag_id

    where
        main_tags.artist_id in (
            select restated.entity_id from restated
            where restated.change = 'main_tags'
        )

    group by main_tags.artist_id

),

tag_charts as (

    select
        {{ joined_text(chart_name, ', ', chart_name, true) }} as charts_changed,
        cast(count(*) as bigint) as issues_changed

    from {{ ref('int_new_chart_issues') }}

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

    from {{ ref('stg_published__restatements') }}

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
            select plays.artist_id from {{ ref('int_scrobbles') }} as plays
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
