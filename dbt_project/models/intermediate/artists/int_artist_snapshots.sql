-- One row per artist and UTC day on which last.fm's counters were answered.
--
-- Arithmetic within a row only; all that looks at other days is stored before.
{{ config(materialized='view') }}
{%- set snapshot = var('snapshot') %}
with

bases as (

    select * from {{ ref('int_artist_snapshot_bases') }}

),

timed as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_stalled,
        listeners_change,
        playcount_change,
        {{ days_between('previous_date', 'snapshot_date') }} as days_since_previous,
        case
            when is_live and previous_is_live
                then {{ seconds_between('previous_observed_at', 'observed_at') }}
            else
                {{ days_between('previous_date', 'snapshot_date') }}
                * cast(86400 as double precision)
        end as seconds_since_previous,
        case
            when is_live and base_is_live
                then {{ seconds_between('base_observed_at', 'observed_at') }}
            else
                {{ days_between('base_date', 'snapshot_date') }}
                * cast(86400 as double precision)
        end as flow_seconds

    from bases

),

judged as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_stalled,
        listeners_change,
        playcount_change,
        days_since_previous,
        seconds_since_previous,
        cast(floor(flow_seconds) as bigint) as flow_seconds,
        days_since_previous is not null
        and days_since_previous <= {{ snapshot.longest_gap_days }}
        and flow_seconds >= {{ snapshot.least_hours * 3600 }}
        and not is_stalled as has_flow

    from timed

),

final as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        seconds_since_previous / 3600 as hours_since_previous,
        days_since_previous,
        case
            when has_flow and listeners_change >= 0
                then {{ per_day('listeners_change', 'flow_seconds') }}
        end as new_listeners_per_day,
        case
            when has_flow and playcount_change >= 0
                then {{ per_day('playcount_change', 'flow_seconds') }}
        end as plays_per_day,
        case
            when listeners_change < 0 then listeners_change
        end as listeners_correction,
        case
            when playcount_change < 0 then playcount_change
        end as playcount_correction,
        is_stalled,
        touched_load_id

    from judged

)

select * from final
