-- One row per listener and stretch of days in which the listener was never quiet long.
--
-- Of at least var listener_flags.round_the_clock_hours hours with plays.
{{ config(materialized='view') }}  -- a step of listener_flags, its only reader
{% set rules = var('listener_flags') %}
with

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

-- Days on which nobody was quiet for long, from the first play to the last; one goes on
-- from the day before where the night between was no longer quiet either.
restless_days as (

    select
        listener_id,
        scrobbled_date,
        scrobbles,
        active_hours,
        first_scrobbled_at,
        last_scrobbled_at,
        case
            when
                {{ seconds_between(
                    'lag(last_scrobbled_at) over (
                        partition by listener_id order by scrobbled_date
                    )',
                    'first_scrobbled_at'
                ) }} < {{ rules.quiet_minutes }} * 60
                then 0
            else 1
        end as starts_stretch

    from listener_days

    where longest_quiet_seconds < {{ rules.quiet_minutes }} * 60

),

stretch_days as (

    select
        listener_id,
        scrobbled_date,
        scrobbles,
        active_hours,
        first_scrobbled_at,
        last_scrobbled_at,
        sum(starts_stretch) over (
            partition by listener_id
            order by scrobbled_date
            rows between unbounded preceding and current row
        ) as stretch

    from restless_days

),

final as (

    select
        listener_id,
        stretch,
        cast(sum(scrobbles) as bigint) as scrobbles,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from stretch_days

    group by listener_id, stretch

    having
        sum(active_hours) >= {{ rules.round_the_clock_hours }}
        and {{ seconds_between('min(first_scrobbled_at)', 'max(last_scrobbled_at)') }}
        >= ({{ rules.round_the_clock_hours }} - 1) * 3600

)

select * from final
