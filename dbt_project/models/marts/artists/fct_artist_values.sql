-- One row per artist and UTC day from the artist's first day with a known flow on.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        on_schema_change='fail',
        indexes=postgres_indexes([['artist_id', 'value_date'], ['value_date']]),
    )
}}
{%- set gain = var('value').level_gain %}
{%- set level_spread = 'sqrt(cast(' ~ gain * (1 - gain)
    ~ ' as double precision))' %}
with

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

states as (

    select * from {{ ref('int_artist_states') }}
    where value_date >= (select due.first_date from due)

),

spreads as (

    select * from {{ ref('int_artist_spreads') }}
    where value_date >= (select due.first_date from due)

),

standings as (

    select * from {{ ref('int_artist_standings') }}
    where value_date >= (select due.first_date from due)

),

growths as (

    select * from {{ ref('int_artist_growth') }}
    where value_date >= (select due.first_date from due)

),

trends as (

    select * from {{ ref('int_artist_trends') }}
    where value_date >= (select due.first_date from due)

),

final as (

    select
        states.artist_id,
        states.value_date,
        flows.new_listeners_per_day,
        flows.plays_per_day,
        states.log_share,
        states.forecast_error,
        states.level,
        states.trend,
        states.log_value,
        states.value,
        standings.fundamental_price,
        standings.score,
        exp(states.log_value - 1.96 * spreads.sigma * {{ level_spread }}) as value_low,
        exp(states.log_value + 1.96 * spreads.sigma * {{ level_spread }}) as value_high,
        spreads.sigma,
        states.history_days,
        standings.confidence,
        standings.is_listed,
        standings.stage,
        growths.growth,
        case
            when growths.growth is null then 'insufficient history'
            when growths.growth >= 8 then 'explosive'
            when growths.growth >= 2 then 'high'
            when growths.growth >= 1 then 'moderate'
            when growths.growth >= -1 then 'even'
            else 'decline'
        end as growth_label,
        trends.trend_slope,
        trends.trend_slope_low,
        trends.trend_slope_high,
        case
            when trends.trend_slope_low is null then 'insufficient history'
            when trends.trend_slope_low > 0 then 'rising'
            when trends.trend_slope_high < 0 then 'falling'
            else 'no clear trend'
        end as trend_words,
        coalesce({{ ratio('states.forecast_error', 'spreads.sigma') }}, 0)
            as surprise_z,
        {{ ratio('0.07 * states.playcount', 'sqrt(states.listeners)') }}
            as classic_base_price,
        0.0005 * flows.plays_per_day + 0.05 * flows.new_listeners_per_day
            as classic_score,
        0.01 * (
            3 * sqrt(greatest(flows.plays_per_day, 0))
            + 0.05 * greatest(flows.new_listeners_per_day, 0)
        ) as classic_dividend,
        states.is_observed,
        states.unobserved_days,
        states.listeners,
        states.playcount

    from states
    {%- for part in ('standings', 'spreads', 'growths', 'trends') %}

    inner join {{ part }}
        on
            states.artist_id = {{ part }}.artist_id
            and states.value_date = {{ part }}.value_date
    {%- endfor %}

    left join flows
        on
            states.artist_id = flows.artist_id
            and states.value_date = flows.flow_date

)

select * from final
