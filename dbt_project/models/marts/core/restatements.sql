-- One row per thing that a load changed on a day which was in the marts before.
with

loads as (

    select * from {{ ref('stg_ledger__loads') }}

),

aliases as (

    select * from {{ ref('stg_lastfm__artist_aliases') }}

),

late_answers as (

    select * from {{ ref('int_late_artist_answers') }}

),

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

chart_restatements as (

    select * from {{ ref('int_chart_restatements') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

-- The last day in the marts when a load came.
load_days as (

    select
        load_id,
        as_of_date,
        loaded_at,
        max(as_of_date) over (
            order by load_id rows between unbounded preceding and 1 preceding
        ) as built_date

    from loads

),

identities as (

    select
        'artist_identity' as subject,
        aliases.alias_artist_id as entity_id,
        aliases.identity_load_id as load_id,
        cast(null as date) as from_date,
        cast(null as date) as to_date,
        aliases.alias_key as old_value,
        aliases.artist_key as new_value,
        case
            when aliases.is_alias then 'last.fm corrects the name to another artist'
            else 'last.fm corrects the name no longer'
        end as reason

    from aliases

    inner join load_days on aliases.identity_load_id = load_days.load_id

    where load_days.built_date is not null

),

first_loads as (

    select
        listener_id,
        min(load_id) as load_id

    from scrobbles

    group by listener_id

),

-- A listener's first load is history, not news; the day before is still open.
late_scrobbles as (

    select
        'scrobbles' as subject,
        scrobbles.listener_id as entity_id,
        scrobbles.load_id,
        min(scrobbles.scrobbled_date) as from_date,
        max(scrobbles.scrobbled_date) as to_date,
        cast(null as text) as old_value,
        cast(count(*) as text) || ' scrobbles' as new_value,
        'plays of earlier days came in late' as reason

    from scrobbles

    inner join load_days on scrobbles.load_id = load_days.load_id

    inner join first_loads on scrobbles.listener_id = first_loads.listener_id

    where
        scrobbles.load_id > first_loads.load_id
        and scrobbles.scrobbled_date < {{ add_days('load_days.built_date', -1) }}

    group by scrobbles.listener_id, scrobbles.load_id

),

-- The log of charts is what builds found out; a build without new loads adds nothing.
chart_issues as (

    select
        'chart_issue' as subject,
        chart || ' ' || period
        || case when scope = '' then '' else ' ' || scope end as entity_id,
        load_id,
        issue_date as from_date,
        issue_date as to_date,
        'number 1: ' || max(coalesce(first_before, 'nobody')) as old_value,
        'number 1: ' || max(coalesce(first_now, 'nobody')) || '; '
        || cast(sum(changed_positions) as text) || ' positions changed' as new_value,
        'plays, answers or tags that came later changed the issue' as reason

    from chart_restatements

    group by chart, scope, period, issue_date, load_id

),

together as (

    select * from identities

    union all

    select * from late_answers

    union all

    select * from late_scrobbles

    union all

    select * from chart_issues

),

final as (

    select
        together.load_id,
        together.subject,
        together.entity_id,
        case
            when together.subject = 'chart_issue' then together.entity_id
            else coalesce(
                artists.artist_name, together.old_value, together.entity_id
            )
        end as entity_name,
        together.from_date,
        together.to_date,
        together.old_value,
        together.new_value,
        together.reason,
        load_days.loaded_at as restated_at

    from together

    left join load_days on together.load_id = load_days.load_id

    left join artists on together.entity_id = artists.artist_id

)

select * from final
