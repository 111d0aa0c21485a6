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
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

due as (

    {{ days_to_value('snapshots') }}

),

set_aside as (

    select
        artist_id,
        snapshot_date

    from snapshots

    where
        flow_state >= 1
        and snapshot_date > (select {{ add_days('due.first_date', -28) }} from due)

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

outlooks as (

    select * from {{ ref('int_artist_outlooks') }}
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

-- Rising is said here alone, where all that it takes agrees.
final as (

    select
        states.artist_id,
        states.value_date,
        flows.new_listeners_per_day,
        flows.plays_per_day,
        flows.day_factor,
        states.log_attention,
        flows.attention_share,
        states.forecast_error,
        states.level,
        states.transient,
        states.error_variance,
        states.log_value,
        states.value,
        standings.fundamental_price,
        standings.score,
        exp(outlooks.outlook_mean - outlooks.outlook_width * outlooks.outlook_spread)
            as value_low,
        exp(outlooks.outlook_mean + outlooks.outlook_width * outlooks.outlook_spread)
            as value_high,
        spreads.sigma,
        coalesce({{ ratio('states.forecast_error', 'spreads.sigma') }}, 0)
            as surprise_z,
        states.history_days,
        standings.confidence,
        standings.is_listed,
        standings.stage,
        growths.growth,
        growths.growth_label,
        trends.trend_slope,
        trends.trend_slope_low,
        trends.trend_slope_high,
        trends.trend_words,
        standings.is_listed
        and growths.growth_label in ('high', 'explosive')
        and trends.trend_words = 'rising'
        and not exists (
            select 1
            from set_aside
            where
                set_aside.artist_id = states.artist_id
                and set_aside.snapshot_date <= states.value_date
                and set_aside.snapshot_date > {{ add_days('states.value_date', -28) }}
        ) as is_rising,
        case
            when states.is_observed
                then
                    {{ ratio('0.07 * flows.playcount', 'sqrt(flows.listeners)') }}
        end as classic_base_price,
        case
            when states.is_observed
                then
                    0.0005 * flows.plays_per_day
                    + 0.05 * flows.new_listeners_per_day
        end as classic_score,
        case
            when states.is_observed
                then
                    0.01 * (
                        3 * sqrt(flows.plays_per_day)
                        + 0.05 * flows.new_listeners_per_day
                    )
        end as classic_dividend,
        states.is_observed,
        states.unobserved_days,
        snapshots.flow_state,
        snapshots.flow_reason

    from states
    {%- for part in ('standings', 'spreads', 'outlooks', 'growths', 'trends') %}

    inner join {{ part }}
        on
            states.artist_id = {{ part }}.artist_id
            and states.value_date = {{ part }}.value_date
    {%- endfor %}

    left join flows
        on
            states.artist_id = flows.artist_id
            and states.value_date = flows.flow_date

    left join snapshots
        on
            states.artist_id = snapshots.artist_id
            and states.value_date = snapshots.snapshot_date

)

select * from final
