-- One row per listener and UTC day with at least one scrobble.
{{ config(materialized='view') }}  -- the rows of int_listener_days, not a second copy
with

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

final as (

    select
        listener_id,
        scrobbled_date,
        scrobbles,
        tracks,
        artists,
        albums,
        active_hours,
        listening_seconds,
        scrobbles_without_duration,
        scrobbles_cut_short,
        longest_quiet_seconds,
        first_scrobbled_at,
        last_scrobbled_at

    from listener_days

)

select * from final
