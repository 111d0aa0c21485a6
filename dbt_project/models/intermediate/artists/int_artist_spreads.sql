-- One row per artist and UTC day with the spread of the artist's forecast errors.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set sigma_days = value_constants().sigma_days %}
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

states as (

    select * from {{ ref('int_artist_states') }}

),

due as (

    {{ days_to_value('snapshots') }}

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
            and states.history_days > first_counts.history_days - {{ sigma_days }}

    where states.is_observed and states.history_days > 1

),

error_windows as (

    select
        artist_id,
        history_days,
        array_agg(forecast_error) over (
            partition by artist_id
            order by history_days
            rows between {{ sigma_days - 1 }} preceding and current row
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
            1.4826 * {{ median_deviation('error_windows.recent_errors') }}, 0
        ) as sigma

    from due_states

    left join error_windows
        on
            due_states.artist_id = error_windows.artist_id
            and due_states.history_days = error_windows.history_days

)

select * from final
