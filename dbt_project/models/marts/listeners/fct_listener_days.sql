-- One row per listener and UTC day with at least one scrobble.
{{ config(materialized='view') }}  -- the rows of int_listener_days, not a second copy
with

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

flags as (

    select
        listener_id,
        scrobbled_date,
        {{ joined_text('flag', ', ', 'md5(flag)') }} as flags

    from {{ ref('int_flagged_days') }}

    group by listener_id, scrobbled_date

),

final as (

    select
        listener_days.listener_id,
        listener_days.scrobbled_date,
        listener_days.scrobbles,
        listener_days.tracks,
        listener_days.artists,
        listener_days.albums,
        listener_days.active_hours,
        listener_days.listening_seconds,
        listener_days.scrobbles_without_duration,
        listener_days.scrobbles_cut_short,
        listener_days.longest_quiet_seconds,
        listener_days.first_scrobbled_at,
        listener_days.last_scrobbled_at,
        flags.flags is not null as is_flagged,
        flags.flags

    from listener_days

    left join flags
        on
            listener_days.listener_id = flags.listener_id
            and listener_days.scrobbled_date = flags.scrobbled_date

)

select * from final
