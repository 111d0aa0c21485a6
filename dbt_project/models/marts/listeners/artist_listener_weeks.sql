-- One row per artist, listener and week (from Monday, UTC) with at least one scrobble.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['listener_id', 'week_start'],
            ['artist_id', 'week_start'],
        ]),
        pre_hook="{{ delete_before_insert(
            '(listener_id, week_start) in (select listener_id, '
            ~ period_start('week', 'scrobbled_date') ~ ' from '
            ~ ref('int_touched_days') ~ ')'
        ) }}"
    )
}}

with

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

final as (

    select
        artist_id,
        listener_id,
        {{ period_start('week', 'scrobbled_date') }} as week_start,
        cast(count(*) as bigint) as scrobbles,
        min(scrobbled_at) as first_scrobbled_at,
        max(scrobbled_at) as last_scrobbled_at

    from scrobbles

    where
        1 = 1
        {{ and_touched_bounds('scrobbled_date', 'week') }}
        {{ and_touched('week', 'scrobbled_date', 'listener_id') }}

    group by artist_id, listener_id, {{ period_start('week', 'scrobbled_date') }}

)

select * from final
