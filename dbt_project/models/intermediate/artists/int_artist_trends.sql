-- One row per artist and UTC day with the slope of the artist's log attention.
--
-- Slopes between equal weekdays, so that a weekday's own height cancels out: Theil-Sen
-- within each season, pooled (Hirsch, Slack, Smith 1982, "Techniques of trend analysis
-- for monthly water quality data").
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set days = value_constants().trend_days %}
{%- set lags = range(7, days, 7) | list %}
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

slopes as (

    select
        states.artist_id,
        states.value_date,
        states.is_observed,
        {%- for lag in lags %}
        (states.log_attention - lag(states.log_attention, {{ lag }}) over series)
        / {{ lag }} as slope_{{ lag }},
        {%- endfor %}
        cast(states.log_attention is not null as integer)
        {%- for lag in lags %}
        + cast(lag(states.log_attention, {{ lag }}) over series is not null as integer)
        {%- endfor %} as same_weekdays

    from states

    inner join due on states.value_date > {{ add_days('due.first_date', -days) }}

    window series as (partition by states.artist_id order by states.value_date)

),

windows as (

    select
        artist_id,
        value_date,
        {%- for lag in lags %}
        {% if not loop.first %}|| {% endif %}array_agg(slope_{{ lag }}) over (
            partition by artist_id
            order by value_date
            rows between {{ days - lag - 1 }} preceding and current row
        )
        {%- endfor %} as slopes,
        sum(
            cast(same_weekdays * (same_weekdays - 1) as {{ type_double() }})
            * (2 * same_weekdays + 5) / 18
        ) over (
            partition by artist_id
            order by value_date
            rows between 6 preceding and current row
        ) as slope_variance,
        sum(cast(is_observed as integer)) over (
            partition by artist_id
            order by value_date
            rows between {{ days - 1 }} preceding and current row
        ) as observed_days

    from slopes

),

-- Once: PostgreSQL would otherwise sort again for each use of the sorted array.
sorted as {{ materialized_cte() }} (

    select
        windows.artist_id,
        windows.value_date,
        {{ sorted_array('windows.slopes') }} as slopes,
        windows.observed_days >= {{ value_constants().trend_least_days }}
            as is_known,
        1.96 * sqrt(windows.slope_variance) as slope_spread

    from windows

    inner join due on windows.value_date >= due.first_date

),

counted as (

    select
        artist_id,
        value_date,
        slopes,
        case
            when is_known then coalesce(cast(cardinality(slopes) as integer), 0)
            else 0
        end as pairs,
        slope_spread

    from sorted

),

-- The median and the order statistics of its 95 % interval.
intervals as (

    select
        artist_id,
        value_date,
        (
            {{ array_item('slopes', 'floor((pairs + 1) * 0.5)') }}
            + {{ array_item('slopes', 'floor((pairs + 2) * 0.5)') }}
        ) / 2 as trend_slope,
        case
            when (pairs - slope_spread) / 2 >= 1
                then {{ array_item('slopes', 'floor((pairs - slope_spread) / 2)') }}
        end as trend_slope_low,
        case
            when (pairs - slope_spread) / 2 >= 1
                then {{ array_item('slopes', 'ceil((pairs + slope_spread) / 2 + 1)') }}
        end as trend_slope_high

    from counted

),

final as (

    select
        artist_id,
        value_date,
        trend_slope,
        trend_slope_low,
        trend_slope_high,
        case
            when trend_slope_low is null then 'insufficient history'
            when trend_slope_low > 0 then 'rising'
            when trend_slope_high < 0 then 'falling'
            else 'no clear trend'
        end as trend_words

    from intervals

)

select * from final
