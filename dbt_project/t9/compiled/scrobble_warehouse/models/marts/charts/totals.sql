-- One row per period with at least one scrobble of the panel.
with

listening as (

    select * from "new"."intermediate"."int_listening_periods"

),

periods as (

    select * from "new"."intermediate"."int_periods"

),

final as (

    select
        listening.period,
        listening.period_start,
        coalesce(periods.period_end, listening.last_scrobbled_date) as period_end,
        listening.scrobbles,
        listening.tracks,
        listening.artists,
        listening.albums,
        listening.listeners,
        listening.listening_seconds,
        listening.scrobbles_without_duration,
        listening.scrobbles_clean,
        listening.tracks_clean,
        listening.artists_clean,
        listening.albums_clean,
        listening.listeners_clean,
        listening.listening_seconds_clean,
        listening.scrobbles_without_duration_clean

    from listening

    inner join periods
        on
            listening.period = periods.period
            and listening.period_start = periods.period_start

    where listening.listener_id = ''

)

select * from final