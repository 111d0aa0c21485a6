-- One row per artist and UTC day with the outlook on the artist's next 28 days.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = value_constants() %}
{%- set ahead = value.outlook_days %}
with

constants as (

    select * from {{ ref('int_value_constants') }}

),

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

due as (

    {{ days_to_value('snapshots') }}

),

states as (

    select * from {{ ref('int_artist_states') }}
    where value_date >= (select {{ add_days('due.first_date', -ahead) }} from due)

),

variances as (

    select
        value_date,
        {{ median('error_variance') }} as usual_variance

    from states

    group by value_date

),

-- The forecast of the mean of the days ahead.
outlooks as (

    select
        states.artist_id,
        states.value_date,
        states.log_attention,
        states.level
        + constants.outlook_transient * states.transient as outlook_mean,
        sqrt(
            {{ value.outlook_spread }} * {{ value.outlook_spread }}
            * (states.error_variance + variances.usual_variance) / 2
            + {{ value.outlook_transient_spread }} * states.transient
            * {{ value.outlook_transient_spread }} * states.transient
        ) as outlook_spread

    from states

    inner join variances on states.value_date = variances.value_date

    cross join constants

),

-- What came of it: sums of exact numbers do not depend on the order of adding.
outcomes as (

    select
        artist_id,
        value_date,
        outlook_mean,
        outlook_spread,
        lag(outlook_mean, {{ ahead }}) over series as forecast_mean,
        lag(outlook_spread, {{ ahead }}) over series as forecast_spread,
        sum(cast(log_attention as numeric(38, 20))) over days_ahead as attention_sum,
        count(log_attention) over days_ahead as attention_days

    from outlooks

    window
        series as (partition by artist_id order by value_date),
        days_ahead as (
            partition by artist_id
            order by value_date
            rows between {{ ahead - 1 }} preceding and current row
        )

),

misses as (

    select
        artist_id,
        value_date,
        outlook_mean,
        outlook_spread,
        case
            when attention_days >= {{ value.outlook_least_days }}
                then
                    abs(
                        {{ ratio('attention_sum', 'attention_days') }} - forecast_mean
                    ) / forecast_spread
        end as outlook_miss

    from outcomes

    where value_date >= (select due.first_date from due)

),

known_misses as (

    select
        value_date,
        outlook_miss

    from misses

    where outlook_miss is not null
    {% if is_incremental() %}
    union all

    select
        stored.value_date,
        stored.outlook_miss

    from {{ this }} as stored

    where
        stored.outlook_miss is not null
        and stored.value_date < (select due.first_date from due)
        and stored.value_date > (
            select {{ add_days('first_date', ahead - value.outlook_memory_days) }}
            from due
        )
    {% endif %}

),

-- So many spreads to each side hold 95 of 100 outcomes of late.
widths as (

    select
        variances.value_date,
        case
            when count(*) >= {{ value.outlook_least_forecasts }}
                then
                    greatest(
                        {{ percentile('known_misses.outlook_miss', 0.95) }},
                        {{ value.outlook_least_width }}
                    )
            else {{ value.outlook_first_width }}
        end as outlook_width

    from variances

    inner join known_misses
        on
            variances.value_date >= known_misses.value_date
            and known_misses.value_date
            > {{ add_days('variances.value_date', ahead - value.outlook_memory_days) }}

    where variances.value_date >= (select due.first_date from due)

    group by variances.value_date

),

final as (

    select
        misses.artist_id,
        misses.value_date,
        misses.outlook_mean,
        misses.outlook_spread,
        misses.outlook_miss,
        coalesce(widths.outlook_width, {{ value.outlook_first_width }})
            as outlook_width

    from misses

    left join widths on misses.value_date = widths.value_date

)

select * from final
