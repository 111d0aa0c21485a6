-- One row per listener ('' is the panel) and period, with how many different things.
--
-- Tracks, artists and albums played; these do not add up over parts: they are the
-- lengths of charts and lists before these are cut. Clean is what is not of flagged
-- days.
{{ config(materialized='ephemeral') }}  -- a step of int_listening_periods
with

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

flagged_days as (

    select distinct
        listener_id,
        scrobbled_date

    from {{ ref('int_flagged_days') }}

),

scrobbles as (

    select * from {{ touched_rows(
        ref('int_scrobbles'), 'scrobbled_date', ['day'], by_listener=false
    ) }}

),

panel_charts as (

    select * from {{ ref('int_panel_charts') }}

),

listener_lists as (

    select * from {{ touched_rows(
        ref('int_listener_lists'), 'period_start', ['week', 'year']
    ) }}

),

heads as (

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities_all as entities,
        entities as entities_clean

    from panel_charts

    where place_all = 1

    union all

    select
        listener_id,
        period,
        period_start,
        entity_type,
        entities,
        cast(null as bigint) as entities_clean

    from listener_lists

    where place = 1

),

counted as (

    select
        listener_id,
        period,
        period_start,
        {%- for kind in ['track', 'artist', 'album'] %}
        max(entities) filter (where entity_type = '{{ kind }}') as {{ kind }}s,
        max(entities_clean) filter (where entity_type = '{{ kind }}')
            as {{ kind }}s_clean{{ ',' if not loop.last }}
        {%- endfor %}

    from heads

    group by listener_id, period, period_start

    union all

    select
        listener_id,
        cast('day' as {{ type_string() }}) as period,
        scrobbled_date as period_start,
        tracks,
        cast(null as bigint) as tracks_clean,
        artists,
        cast(null as bigint) as artists_clean,
        cast(null as bigint) as albums,
        cast(null as bigint) as albums_clean

    from listener_days

    union all

    select
        cast('' as {{ type_string() }}) as listener_id,
        cast('day' as {{ type_string() }}) as period,
        scrobbles.scrobbled_date as period_start,
        {%- for kind in ['track', 'artist', 'album'] %}
        cast(count(distinct scrobbles.{{ kind }}_id) as bigint) as {{ kind }}s,
        cast(
            count(distinct scrobbles.{{ kind }}_id) filter (
                where flagged_days.listener_id is null
            ) as bigint
        ) as {{ kind }}s_clean{{ ',' if not loop.last }}
        {%- endfor %}

    from scrobbles

    left join flagged_days
        on
            scrobbles.listener_id = flagged_days.listener_id
            and scrobbles.scrobbled_date = flagged_days.scrobbled_date

    group by scrobbles.scrobbled_date

),

final as (

    select
        listener_id,
        period,
        period_start,
        tracks,
        tracks_clean,
        artists,
        artists_clean,
        case when listener_id = '' then coalesce(albums, 0) end as albums,
        case when listener_id = '' then coalesce(albums_clean, 0) end as albums_clean

    from counted

)

select * from final
