-- One row per complete walk and, where it is short, UTC day that it goes through.
{{ config(materialized='view') }}  -- read once, by the plays
with

walks as (

    select * from {{ ref('int_complete_walks') }}

),

-- Long walks are few and compared as they are; short ones are looked up by their days,
-- because every scrobble against every daily walk of its listener is quadratic.
final as (

    select
        walk_id,
        listener_id,
        walk_from_uts,
        walk_to_uts,
        first_fetched_at,
        cast(null as date) as walked_date

    from walks

    where walk_to_uts - walk_from_uts > {{ var('long_walk_days') }} * 86400

    union all

    select
        walk_id,
        listener_id,
        walk_from_uts,
        walk_to_uts,
        first_fetched_at,
        {{ each_day(
            'cast(' ~ from_uts('walk_from_uts') ~ ' as date)',
            'cast(' ~ from_uts('walk_to_uts') ~ ' as date)'
        ) }} as walked_date

    from walks

    where walk_to_uts - walk_from_uts <= {{ var('long_walk_days') }} * 86400

)

select * from final
