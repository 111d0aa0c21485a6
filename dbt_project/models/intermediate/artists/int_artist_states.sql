-- One row per artist and UTC day from the artist's first day with a known flow on.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = value_constants() %}
{%- set next_date = add_days('states.value_date', 1) %}
with recursive

constants as (

    select * from {{ ref('int_value_constants') }}

),

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

due as (

    {{ days_to_value('snapshots') }}

),

flows as (

    select * from {{ ref('int_artist_flows') }}
    where flow_date >= (select due.first_date from due)

),

-- A new artist starts at the first log attention, without a transient.
starts as (

    select
        artist_id,
        flow_date as value_date,
        is_observed,
        log_attention,
        cast(0 as {{ type_double() }}) as forecast_error,
        cast(log_attention as {{ type_double() }}) as level,
        cast(0 as {{ type_double() }}) as transient,
        cast({{ value.first_variance }} as {{ type_double() }}) as error_variance,
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
        {% if is_incremental() %}
        and artist_id not in (
            select known.artist_id
            from {{ this }} as known, due
            where known.value_date = {{ add_days('due.first_date', -1) }}
        )
        {% endif %}
    {% if is_incremental() %}
    union all

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

    from {{ this }}

    where value_date = (select {{ add_days('due.first_date', -1) }} from due)
    {% endif %}

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
        + forecasts.forecast_error * {{ level_gain('forecasts') }} as level,
        constants.transient_damping * forecasts.transient
        + forecasts.forecast_error * {{ transient_gain('forecasts') }} as transient,
        case
            when forecasts.is_observed
                then
                    forecasts.memory * forecasts.error_variance
                    + (1 - forecasts.memory) * least(
                        forecasts.forecast_error * forecasts.forecast_error,
                        {{ value.variance_cap }} * forecasts.error_variance
                    )
            else forecasts.error_variance
        end as error_variance,
        forecasts.history_days,
        forecasts.unobserved_days

    from (
        select
            states.artist_id,
            {{ next_date }} as value_date,
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
                cast({{ value.variance_memory }} as {{ type_double() }}),
                1 - {{ ratio(1, 'states.history_days + 1') }}
            ) as memory

        from states

        inner join due on states.value_date < due.last_date

        cross join constants

        left join flows
            on
                states.artist_id = flows.artist_id
                and {{ next_date }} = flows.flow_date
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
        level + {{ value.transient_weight }} * transient as log_value,
        exp(level + {{ value.transient_weight }} * transient) as value

    from states

    where value_date >= (select due.first_date from due)

)

select * from final
