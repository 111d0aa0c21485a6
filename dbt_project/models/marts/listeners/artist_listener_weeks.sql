-- One row per artist, listener and week (from Monday, UTC) with at least one scrobble.
{{ config(materialized='incremental', incremental_strategy='touched_weeks') }}
with

scrobbles as (

    select * from {{ touched_rows(ref('int_scrobbles'), 'scrobbled_date', ['week']) }}

),

final as (

    select
        artist_id,
        listener_id,
        {{ period_start('week', 'scrobbled_date') }} as week_start,
        cast(count(*) as bigint) as scrobbles,
        cast(sum({{ listening_seconds('duration_seconds') }}) as bigint)
            as listening_seconds,
        min(scrobbled_at) as first_scrobbled_at,
        max(scrobbled_at) as last_scrobbled_at

    from scrobbles

    group by artist_id, listener_id, {{ period_start('week', 'scrobbled_date') }}

)

select * from final
