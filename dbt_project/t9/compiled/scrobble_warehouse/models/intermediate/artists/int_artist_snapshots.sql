-- One row per artist and UTC day on which last.fm's counters were answered.
--
-- Arithmetic within a row only; all that looks at other days is stored before.

with

steps as (

    select * from "new"."intermediate"."int_artist_steps"

),

final as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        hours_since_previous,
        days_since_previous,
        new_listeners_per_day,
        plays_per_day,
        case
            when listeners_change < 0 and flow_state = 1 then listeners_change
        end as listeners_correction,
        case
            when playcount_change < 0 and flow_state = 1 then playcount_change
        end as playcount_correction,
        case when flow_state >= 2 then listeners_change end as listeners_set_aside,
        case when flow_state >= 2 then playcount_change end as plays_set_aside,
        flow_state,
        flow_reason,
        coalesce(flow_state = 0, false) as is_stalled,
        touched_load_id

    from steps

)

select * from final