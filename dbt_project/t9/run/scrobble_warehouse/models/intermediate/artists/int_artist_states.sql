drop table if exists "new"."intermediate"."int_artist_states" cascade;

    

    create  table
      "new"."intermediate"."int_artist_states"
  
    
    as (
      -- One row per artist and UTC day from the artist's first day with a known flow on.

with recursive

constants as (

    select * from "new"."intermediate"."int_value_constants"

),

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

flows as (

    select * from "new"."intermediate"."int_artist_flows"
    where flow_date >= (select due.first_date from due)

),

-- A new artist starts at the first log attention, without a transient.
starts as (

    select
        artist_id,
        flow_date as value_date,
        is_observed,
        log_attention,
        cast(0 as double precision) as forecast_error,
        cast(log_attention as double precision) as level,
        cast(0 as double precision) as transient,
        cast(0.04 as double precision) as error_variance,
        1 as history_days,
        0 as unobserved_days

    from (
        select
            *,
            row_number() over (partition by artist_id order by flow_date) as place
        from flows
        where is_observed
    ) as observed

    where
        place = 1
        
    

),

-- A local level and a transient that decays (a damped AR(1)), one step a day: forecast,
-- then correct both by the error; a day without an observation keeps the forecast.
states as (

    select
        artist_id,
        value_date,
        is_observed,
        log_attention,
        forecast_error,
        level,
        transient,
        error_variance,
        history_days,
        unobserved_days

    from starts

    union all

    select
        forecasts.artist_id,
        forecasts.value_date,
        forecasts.is_observed,
        forecasts.log_attention,
        forecasts.forecast_error,
        forecasts.level
        + forecasts.forecast_error * case
        when forecasts.history_days < 20
            then greatest(
                constants.level_gain, (
        cast(1 as double precision)
        / nullif(cast(forecasts.history_days as double precision), 0)
    )
            )
        else constants.level_gain
    end as level,
        constants.transient_damping * forecasts.transient
        + forecasts.forecast_error * (
        constants.transient_gain
        + (constants.transient_gain_large - constants.transient_gain)
        * forecasts.forecast_error * forecasts.forecast_error * forecasts.forecast_error * forecasts.forecast_error / (forecasts.forecast_error * forecasts.forecast_error * forecasts.forecast_error * forecasts.forecast_error + constants.large_error * constants.large_error * greatest(forecasts.error_variance, 0.0001) * constants.large_error * constants.large_error * greatest(forecasts.error_variance, 0.0001))
    )
    * least(1, (
        cast(forecasts.history_days - 1 as double precision)
        / nullif(cast(14 as double precision), 0)
    )) as transient,
        case
            when forecasts.is_observed
                then
                    forecasts.memory * forecasts.error_variance
                    + (1 - forecasts.memory) * least(
                        forecasts.forecast_error * forecasts.forecast_error,
                        9 * forecasts.error_variance
                    )
            else forecasts.error_variance
        end as error_variance,
        forecasts.history_days,
        forecasts.unobserved_days

    from (
        select
            states.artist_id,
            cast((states.value_date + cast(1 as integer)) as date) as value_date,
            coalesce(flows.is_observed, false) as is_observed,
            flows.log_attention,
            coalesce(
                flows.log_attention
                - (states.level + constants.transient_damping * states.transient),
                0
            ) as forecast_error,
            states.level,
            states.transient,
            states.error_variance,
            states.history_days
            + case when flows.is_observed then 1 else 0 end as history_days,
            case
                when flows.is_observed then 0 else states.unobserved_days + 1
            end as unobserved_days,
            least(
                cast(0.97 as double precision),
                1 - (
        cast(1 as double precision)
        / nullif(cast(states.history_days + 1 as double precision), 0)
    )
            ) as memory

        from states

        inner join due on states.value_date < due.last_date

        cross join constants

        left join flows
            on
                states.artist_id = flows.artist_id
                and cast((states.value_date + cast(1 as integer)) as date) = flows.flow_date
    ) as forecasts

    cross join constants

),

final as (

    select
        artist_id,
        value_date,
        is_observed,
        log_attention,
        forecast_error,
        level,
        transient,
        error_variance,
        history_days,
        unobserved_days,
        level + 0.12 * transient as log_value,
        exp(level + 0.12 * transient) as value

    from states

    where value_date >= (select due.first_date from due)

)

select * from final
    );
    
  