-- One row per artist and UTC day from the artist's first day with a known flow on.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        on_schema_change='fail',
        indexes=[
            {'columns': ['artist_id', 'value_date']},
            {'columns': ['value_date']},
        ] if target.type == 'postgres' else [],
    )
}}
{%- set value = var('value') %}
{%- set phi = value.trend_damping %}
{%- set kappa = '(cast(' ~ phi ~ ' as double precision) / (1 - cast('
    ~ value.discount ~ ' as double precision) * ' ~ phi ~ '))' %}
{%- set spread = 'sqrt(cast(' ~ value.level_gain * (1 - value.level_gain)
    ~ ' as double precision))' %}
{%- set base_days = value.growth_days + value.growth_base_days %}
with recursive

snapshots as (

    select * from {{ ref('fct_artist_snapshots') }}

),

own_plays as (

    select * from {{ ref('int_own_plays') }}

),

-- The first day to make and the last; a restated day restates all that follows it.
bounds as (

    select
        {% if is_incremental() %}
        least(
            min(snapshot_date) filter (
                where touched_load_id > {{ built_through() }}
            ),
            (
                select {{ add_days('max(stored.value_date)', 1) }}
                from {{ this }} as stored
            )
        ) as first_date,
        {% else %}
        min(snapshot_date) as first_date,
        {% endif %}
        max(snapshot_date) as last_date

    from snapshots

),

-- What players play of their own holdings does not make them dearer.
flows as (

    select
        snapshots.artist_id,
        snapshots.snapshot_date,
        snapshots.listeners,
        snapshots.playcount,
        snapshots.new_listeners_per_day,
        case
            when own_plays.own_plays_per_day is null then snapshots.plays_per_day
            else greatest(snapshots.plays_per_day - own_plays.own_plays_per_day, 0)
        end as plays_per_day,
        snapshots.new_listeners_per_day is not null
        and snapshots.plays_per_day is not null as is_observed

    from snapshots

    left join own_plays
        on
            snapshots.artist_id = own_plays.artist_id
            and snapshots.snapshot_date = own_plays.snapshot_date

    cross join bounds

    where snapshots.snapshot_date >= bounds.first_date

),

-- Sums of exact numbers: they do not depend on the order of adding.
totals as (

    select
        snapshot_date,
        cast(count(*) as double precision) as artists,
        cast(
            sum(cast(new_listeners_per_day as numeric(24, 6))) as double precision
        ) as new_listeners_per_day,
        cast(
            sum(cast(plays_per_day as numeric(24, 6))) as double precision
        ) as plays_per_day

    from flows

    where is_observed

    group by snapshot_date

),

shares as (

    select
        flows.artist_id,
        flows.snapshot_date,
        flows.listeners,
        flows.playcount,
        flows.new_listeners_per_day,
        flows.plays_per_day,
        flows.is_observed,
        case
            when flows.is_observed
                then
                    {{ value.listener_weight }} * ln(
                        (flows.new_listeners_per_day + {{ value.pseudo_count }})
                        / (
                            totals.new_listeners_per_day
                            + {{ value.pseudo_count }} * totals.artists
                        )
                    )
                    + (1 - {{ value.listener_weight }}) * ln(
                        (flows.plays_per_day + {{ value.pseudo_count }})
                        / (
                            totals.plays_per_day
                            + {{ value.pseudo_count }} * totals.artists
                        )
                    )
        end as log_share

    from flows

    left join totals on flows.snapshot_date = totals.snapshot_date

),
{% if is_incremental() %}
carried as (

    select
        stored.artist_id,
        stored.value_date,
        stored.listeners,
        stored.playcount,
        stored.log_share,
        stored.forecast_error,
        stored.level,
        stored.trend,
        stored.history_days,
        stored.unobserved_days

    from {{ this }} as stored

    cross join bounds

    where stored.value_date = {{ add_days('bounds.first_date', -1) }}

),
{% endif %}
first_days as (

    select
        shares.artist_id,
        min(shares.snapshot_date) as value_date

    from shares
    {% if is_incremental() %}
    left join carried on shares.artist_id = carried.artist_id
    {% endif %}
    where
        shares.is_observed
        {% if is_incremental() %}
        and carried.artist_id is null
        {% endif %}

    group by shares.artist_id

),

-- A new artist starts at the first log share, without a trend.
starts as (

    select
        shares.artist_id,
        shares.snapshot_date as value_date,
        shares.listeners,
        shares.playcount,
        shares.new_listeners_per_day,
        shares.plays_per_day,
        shares.is_observed,
        shares.log_share,
        cast(0 as double precision) as forecast_error,
        cast(shares.log_share as double precision) as level,
        cast(0 as double precision) as trend,
        1 as history_days,
        0 as unobserved_days

    from shares

    inner join first_days
        on
            shares.artist_id = first_days.artist_id
            and shares.snapshot_date = first_days.value_date
    {% if is_incremental() %}
    union all

    select
        artist_id,
        value_date,
        listeners,
        playcount,
        cast(null as double precision) as new_listeners_per_day,
        cast(null as double precision) as plays_per_day,
        false as is_observed,
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
        new_listeners_per_day,
        plays_per_day,
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
        coalesce(shares.listeners, states.listeners) as listeners,
        coalesce(shares.playcount, states.playcount) as playcount,
        shares.new_listeners_per_day,
        shares.plays_per_day,
        coalesce(shares.is_observed, false) as is_observed,
        shares.log_share,
        coalesce(
            shares.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as forecast_error,
        states.level + {{ phi }} * states.trend
        + {{ value.level_gain }} * coalesce(
            shares.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as level,
        {{ phi }} * states.trend
        + {{ value.trend_gain }} * coalesce(
            shares.log_share - (states.level + {{ phi }} * states.trend), 0
        ) as trend,
        states.history_days
        + case when shares.is_observed then 1 else 0 end as history_days,
        case
            when shares.is_observed then 0 else states.unobserved_days + 1
        end as unobserved_days

    from states

    inner join bounds on states.value_date < bounds.last_date

    left join shares
        on
            states.artist_id = shares.artist_id
            and {{ add_days('states.value_date', 1) }} = shares.snapshot_date

),

valued as (

    select
        states.artist_id,
        states.value_date,
        states.listeners,
        states.playcount,
        states.new_listeners_per_day,
        states.plays_per_day,
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

    inner join bounds on states.value_date >= bounds.first_date

),

-- What the windows below look back on.
history as (

    select
        artist_id,
        value_date,
        log_share,
        value

    from valued
    {% if is_incremental() %}
    union all

    select
        stored.artist_id,
        stored.value_date,
        stored.log_share,
        stored.value

    from {{ this }} as stored

    cross join bounds

    where
        stored.value_date < bounds.first_date
        and stored.value_date
        > {{ add_days('bounds.first_date', -([value.stage_days, base_days] | max)) }}
    {% endif %}

),

recent_history as (

    select
        history.artist_id,
        history.value_date,
        history.log_share,
        history.value

    from history

    inner join bounds
        on history.value_date > {{ add_days('bounds.first_date', -base_days) }}

),

errors as (

    select
        artist_id,
        history_days,
        forecast_error

    from valued

    where is_observed and history_days > 1
    {% if is_incremental() %}
    union all

    select
        stored.artist_id,
        stored.history_days,
        stored.forecast_error

    from {{ this }} as stored

    inner join carried on stored.artist_id = carried.artist_id

    where
        stored.is_observed
        and stored.value_date <= carried.value_date
        and stored.history_days > 1
        and stored.history_days > carried.history_days - {{ value.sigma_days }}
    {% endif %}

),

error_windows as (

    select
        artist_id,
        history_days,
        array_agg(forecast_error) over (
            partition by artist_id
            order by history_days
            rows between {{ value.sigma_days - 1 }} preceding and current row
        ) as recent_errors

    from errors

),

-- An error belongs to its count of observed days, which days without an observation
-- share with the last one before them.
spreads as (

    select
        valued.artist_id,
        valued.value_date,
        coalesce(
            1.4826 * {{ median_deviation('error_windows.recent_errors') }}, 0
        ) as sigma

    from valued

    left join error_windows
        on
            valued.artist_id = error_windows.artist_id
            and valued.history_days = error_windows.history_days

),

-- Slopes between equal weekdays: a weekday's own height cancels out in each of them.
{%- set lags = range(7, value.trend_days, 7) | list %}
slopes as (

    select
        artist_id,
        value_date,
        value,
        {%- for lag in lags %}
        (log_share - lag(log_share, {{ lag }}) over series) / {{ lag }}
            as slope_{{ lag }},
        {%- endfor %}
        case when log_share is null then 0 else 1 end
        {%- for lag in lags %}
        + case when lag(log_share, {{ lag }}) over series is null then 0 else 1 end
        {%- endfor %} as same_weekdays

    from recent_history

    window series as (partition by artist_id order by value_date)

),

windows as (

    select
        artist_id,
        value_date,
        {%- for lag in lags %}
        {% if not loop.first %}|| {% endif %}array_agg(slope_{{ lag }}) over (
            partition by artist_id
            order by value_date
            rows between {{ value.trend_days - lag - 1 }} preceding and current row
        )
        {%- endfor %} as slopes,
        sum(
            cast(same_weekdays * (same_weekdays - 1) as double precision)
            * (2 * same_weekdays + 5) / 18
        ) over week as slope_variance,
        sum(cast(value as numeric(38, 20))) over (
            partition by artist_id
            order by value_date
            rows between {{ value.growth_days - 1 }} preceding and current row
        ) as late_sum,
        count(*) over (
            partition by artist_id
            order by value_date
            rows between {{ value.growth_days - 1 }} preceding and current row
        ) as late_days,
        sum(cast(value as numeric(38, 20))) over base as early_sum,
        count(*) over base as early_days

    from slopes

    window
        week as (
            partition by artist_id
            order by value_date
            rows between 6 preceding and current row
        ),
        base as (
            partition by artist_id
            order by value_date
            rows between
            {{ base_days - 1 }} preceding and {{ value.growth_days }} preceding
        )

),

sorted as (

    select
        windows.artist_id,
        windows.value_date,
        {{ sorted_array('windows.slopes') }} as slopes,
        1.96 * sqrt(windows.slope_variance) as slope_spread,
        case
            when windows.early_days >= {{ value.growth_base_least_days }}
                then
                    ln(
                        {{ ratio('windows.late_sum', 'windows.late_days') }}
                        / {{ ratio('windows.early_sum', 'windows.early_days') }}
                    )
        end as log_growth

    from windows

    inner join bounds on windows.value_date >= bounds.first_date

),

picked as (

    select
        artist_id,
        value_date,
        log_growth,
        slopes,
        coalesce(cast(cardinality(slopes) as integer), 0) as pairs,
        slope_spread

    from sorted

),

-- Median and the order statistics of its 95 % interval (Hirsch, Slack, Smith 1982).
trends as (

    select
        artist_id,
        value_date,
        log_growth,
        (
            slopes[cast(floor((pairs + 1) * 0.5) as integer)]
            + slopes[cast(floor((pairs + 2) * 0.5) as integer)]
        ) / 2 as trend_slope,
        case
            when (pairs - slope_spread) / 2 >= 1
                then slopes[cast(floor((pairs - slope_spread) / 2) as integer)]
        end as trend_slope_low,
        case
            when (pairs - slope_spread) / 2 >= 1
                then slopes[cast(ceil((pairs + slope_spread) / 2 + 1) as integer)]
        end as trend_slope_high

    from picked

),

medians as (
    {{
        trailing_median(
            'history',
            'artist_id',
            'value_date',
            'value',
            value.stage_days,
            '(select bounds.first_date from bounds)',
        )
    }}
),

ranked_medians as (

    select
        artist_id,
        value_date,
        row_number() over (
            partition by value_date order by trailing_median desc, artist_id
        ) as place,
        count(*) over (partition by value_date) as artists

    from medians

),

stage_sizes as (

    select
        artist_id,
        value_date,
        place,
        greatest(ceil(artists * {{ value.superstar_share }}), 1) as superstars,
        greatest(ceil(artists * {{ value.mainstream_share }}), 2) as mainstreams,
        greatest(ceil(artists * {{ value.mid_level_share }}), 4) as mid_levels

    from ranked_medians

),

stages as (

    select
        artist_id,
        value_date,
        case
            when place <= superstars then 'superstar'
            when place <= superstars + mainstreams then 'mainstream'
            when place <= superstars + mainstreams + mid_levels then 'mid-level'
            else 'developing'
        end as stage

    from stage_sizes

),

staged as (

    select
        valued.artist_id,
        valued.value_date,
        valued.listeners,
        valued.playcount,
        valued.new_listeners_per_day,
        valued.plays_per_day,
        valued.is_observed,
        valued.log_share,
        valued.forecast_error,
        valued.level,
        valued.trend,
        valued.history_days,
        valued.unobserved_days,
        valued.log_value,
        valued.value,
        spreads.sigma,
        {{
            ratio(
                'valued.history_days',
                'valued.history_days + ' ~ value.confidence_days,
            )
        }} as confidence,
        stages.stage,
        trends.log_growth,
        trends.trend_slope,
        trends.trend_slope_low,
        trends.trend_slope_high

    from valued

    inner join spreads
        on
            valued.artist_id = spreads.artist_id
            and valued.value_date = spreads.value_date

    inner join stages
        on
            valued.artist_id = stages.artist_id
            and valued.value_date = stages.value_date

    inner join trends
        on
            valued.artist_id = trends.artist_id
            and valued.value_date = trends.value_date

),

-- The robust spread of growth in a stage; a stage of a few artists has none of its
-- own and takes that of all.
growth_centres as (

    select
        value_date,
        stage,
        {{ median('log_growth') }} as centre,
        count(log_growth) as artists

    from staged

    group by grouping sets ((value_date, stage), (value_date))

),

growth_spreads as (

    select
        staged.value_date,
        growth_centres.stage,
        1.4826 * {{ median('abs(staged.log_growth - growth_centres.centre)') }}
            as spread

    from staged

    inner join growth_centres
        on
            staged.value_date = growth_centres.value_date
            and (
                growth_centres.stage is null
                or (
                    staged.stage = growth_centres.stage
                    and growth_centres.artists >= {{ value.growth_least_artists }}
                )
            )

    group by staged.value_date, growth_centres.stage

),

measured as (

    select
        staged.artist_id,
        staged.value_date,
        staged.listeners,
        staged.playcount,
        staged.new_listeners_per_day,
        staged.plays_per_day,
        staged.is_observed,
        staged.log_share,
        staged.forecast_error,
        staged.level,
        staged.trend,
        staged.history_days,
        staged.unobserved_days,
        staged.log_value,
        staged.value,
        staged.sigma,
        staged.confidence,
        staged.confidence >= {{ value.listed_confidence }}
        and staged.unobserved_days <= {{ value.listed_unobserved_days }} as is_listed,
        staged.stage,
        case
            when staged.log_growth is not null
                then
                    coalesce(
                        {{
                            ratio(
                                'staged.log_growth',
                                'coalesce(of_stage.spread, of_all.spread)',
                            )
                        }},
                        0
                    )
        end as growth,
        staged.trend_slope,
        staged.trend_slope_low,
        staged.trend_slope_high

    from staged

    left join growth_spreads as of_stage
        on
            staged.value_date = of_stage.value_date
            and staged.stage = of_stage.stage

    left join growth_spreads as of_all
        on staged.value_date = of_all.value_date and of_all.stage is null

),

listings as (

    select
        value_date,
        count(*) filter (where is_listed) as listed

    from measured

    group by value_date

),

-- The index is the mean of the listed artists; before anybody is listed, of all.
referenced as (

    select
        measured.artist_id,
        measured.value_date,
        measured.value,
        measured.is_listed or listings.listed = 0 as is_reference

    from measured

    inner join listings on measured.value_date = listings.value_date

),

indexes as (

    select
        value_date,
        {{
            ratio(
                'sum(cast(value as numeric(38, 20)))',
                'count(*)',
            )
        }} as mean_value

    from referenced

    where is_reference

    group by value_date

),

scores as (

    select
        artist_id,
        value_date,
        is_reference,
        count(*) filter (where is_reference) over (
            partition by value_date
            order by value
            range between unbounded preceding and current row
            exclude group
        ) as outdone,
        count(*) filter (where is_reference) over (
            partition by value_date
        ) as artists

    from referenced

),

final as (

    select
        measured.artist_id,
        measured.value_date,
        measured.new_listeners_per_day,
        measured.plays_per_day,
        measured.log_share,
        measured.forecast_error,
        measured.level,
        measured.trend,
        measured.log_value,
        measured.value,
        100 * measured.value / indexes.mean_value as fundamental_price,
        coalesce(
            100 * {{
                ratio(
                    'scores.outdone',
                    'scores.artists - case when scores.is_reference then 1 else 0 end',
                )
            }},
            100
        ) as score,
        exp(
            measured.log_value - 1.96 * measured.sigma * {{ spread }}
        ) as value_low,
        exp(
            measured.log_value + 1.96 * measured.sigma * {{ spread }}
        ) as value_high,
        measured.sigma,
        measured.history_days,
        measured.confidence,
        measured.is_listed,
        measured.stage,
        measured.growth,
        case
            when measured.growth is null then 'insufficient history'
            when measured.growth >= 8 then 'explosive'
            when measured.growth >= 2 then 'high'
            when measured.growth >= 1 then 'moderate'
            when measured.growth >= -1 then 'even'
            else 'decline'
        end as growth_label,
        measured.trend_slope,
        measured.trend_slope_low,
        measured.trend_slope_high,
        case
            when measured.trend_slope_low is null then 'insufficient history'
            when measured.trend_slope_low > 0 then 'rising'
            when measured.trend_slope_high < 0 then 'falling'
            else 'no clear trend'
        end as trend_words,
        coalesce({{ ratio('measured.forecast_error', 'measured.sigma') }}, 0)
            as surprise_z,
        {{ ratio('0.07 * measured.playcount', 'sqrt(measured.listeners)') }}
            as classic_base_price,
        0.0005 * measured.plays_per_day + 0.05 * measured.new_listeners_per_day
            as classic_score,
        0.01 * (
            3 * sqrt(greatest(measured.plays_per_day, 0))
            + 0.05 * greatest(measured.new_listeners_per_day, 0)
        ) as classic_dividend,
        measured.is_observed,
        measured.unobserved_days,
        measured.listeners,
        measured.playcount

    from measured

    inner join indexes on measured.value_date = indexes.value_date

    inner join scores
        on
            measured.artist_id = scores.artist_id
            and measured.value_date = scores.value_date

)

select * from final
