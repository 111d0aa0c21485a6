-- One row per artist and UTC day from the artist's first day with a known flow on.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = var('value') %}
{%- set phi = value.trend_damping %}
{%- set kappa = '(cast(' ~ phi ~ ' as double precision) / (1 - cast('
    ~ value.discount ~ ' as double precision) * ' ~ phi ~ '))' %}
with recursive

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

flows as (

    select * from {{ ref('int_artist_flows') }}

),

due as (

    {{ days_to_value('snapshots') }}

),

due_flows as (

    select
        flows.artist_id,
        flows.flow_date,
        flows.listeners,
        flows.playcount,
        flows.is_observed,
        flows.log_share

    from flows

    inner join due on flows.flow_date >= due.first_date

),
{% if is_incremental() %}
carried as (

    select
        stored.artist_id,
        stored.value_date,
        stored.listeners,
        stored.playcount,
        stored.is_observed,
        stored.log_share,
        stored.forecast_error,
        stored.level,
        stored.trend,
        stored.history_days,
        stored.unobserved_days

    from {{ this }} as stored

    inner join due on stored.value_date = {{ add_days('due.first_date', -1) }}

),
{% endif %}
-- A new artist starts at the first log share, without a trend.
starts as (

    (
        select distinct on (artist_id)
            artist_id,
            flow_date as value_date,
            listeners,
            playcount,
            is_observed,
            log_share,
            cast(0 as double precision) as forecast_error,
            cast(log_share as double precision) as level,
            cast(0 as double precision) as trend,
            1 as history_days,
            0 as unobserved_days

        from due_flows

        where
            is_observed
            {% if is_incremental() %}
            and artist_id not in (select carried.artist_id from carried)
            {% endif %}

        order by artist_id, flow_date
    )
    {% if is_incremental() %}
    union all

    select
        artist_id,
        value_date,
        listeners,
        playcount,
        is_observed,
        log_share,
        forecast_error,
        level,
        trend,
        history_days,
        unobserved_days

    from carried
    {% endif %}

),

-- Damped Holt, one step a day: forecast, then correct by the error; a day without an
-- observation keeps the forecast.
states as (

    select
        artist_id,
        value_date,
        listeners,
        playcount,
        is_observed,
        log_share,
        forecast_error,
        level,
        trend,
        history_days,
        unobserved_days

    from starts

    union all

    select
        states.artist_id,
        {{ add_days('states.value_date', 1) }} as value_date,
        coalesce(due_flows.listeners, states.listeners) as listeners,
        coalesce(due_flows.playcount, states.playcount) as playcount,
        coalesce(due_flows.is_observed, false) as is_observed,
        due_flows.log_share,
        coalesce(
            due_flows.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as forecast_error,
        states.level + {{ phi }} * states.trend
        + {{ value.level_gain }} * coalesce(
            due_flows.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as level,
        {{ phi }} * states.trend
        + {{ value.trend_gain }} * coalesce(
            due_flows.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as trend,
        states.history_days
        + case when due_flows.is_observed then 1 else 0 end as history_days,
        case
            when due_flows.is_observed then 0 else states.unobserved_days + 1
        end as unobserved_days

    from states

    inner join due on states.value_date < due.last_date

    left join due_flows
        on
            states.artist_id = due_flows.artist_id
            and {{ add_days('states.value_date', 1) }} = due_flows.flow_date

),

final as (

    select
        states.artist_id,
        states.value_date,
        states.listeners,
        states.playcount,
        states.is_observed,
        states.log_share,
        states.forecast_error,
        states.level,
        states.trend,
        states.history_days,
        states.unobserved_days,
        states.level + {{ kappa }} * states.trend as log_value,
        exp(states.level + {{ kappa }} * states.trend) as value

    from states

    inner join due on states.value_date >= due.first_date

)

select * from final
