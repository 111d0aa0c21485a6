-- One row per listener and artist with at least one scrobble.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['listener_id'],
            ['artist_id'],
        ]),
        pre_hook="{{ delete_before_insert(
            'listener_id in (select listener_id from ' ~ ref('int_touched_days') ~ ')'
        ) }}"
    )
}}

with

weeks as (

    select * from {{ ref('artist_listener_weeks') }}

),

final as (

    select
        listener_id,
        artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        min(first_scrobbled_at) as first_scrobbled_at,
        max(last_scrobbled_at) as last_scrobbled_at

    from weeks

    where 1 = 1 {{ and_touched('all_time', 'week_start', 'listener_id') }}

    group by listener_id, artist_id

)

select * from final
