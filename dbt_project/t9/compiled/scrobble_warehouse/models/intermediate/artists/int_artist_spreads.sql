-- One row per artist and UTC day with the spread of the artist's forecast errors.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

states as (

    select * from "new"."intermediate"."int_artist_states"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

due_states as (

    select
        states.artist_id,
        states.value_date,
        states.history_days

    from states

    inner join due on states.value_date >= due.first_date

),

-- The errors that the windows look back on are counted in observed days.
first_counts as (

    select
        artist_id,
        min(history_days) as history_days

    from due_states

    group by artist_id

),

errors as (

    select
        states.artist_id,
        states.history_days,
        states.forecast_error

    from states

    inner join first_counts
        on
            states.artist_id = first_counts.artist_id
            and states.history_days > first_counts.history_days - 60

    where states.is_observed and states.history_days > 1

),

error_windows as (

    select
        artist_id,
        history_days,
        array_agg(forecast_error) over (
            partition by artist_id
            order by history_days
            rows between 59 preceding and current row
        ) as recent_errors

    from errors

),

-- An error belongs to its count of observed days, which days without an observation
-- share with the last one before them.
final as (

    select
        due_states.artist_id,
        due_states.value_date,
        coalesce(
            1.4826 * list_aggregate(error_windows.recent_errors, 'mad'), 0
        ) as sigma

    from due_states

    left join error_windows
        on
            due_states.artist_id = error_windows.artist_id
            and due_states.history_days = error_windows.history_days

)

select * from final