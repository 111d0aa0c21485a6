-- One row per artist and UTC day with the artist's standing among the day's artists.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = var('value') %}
{%- set confidence = ratio(
    'states.history_days', 'states.history_days + ' ~ value.confidence_days
) %}
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

-- What the windows look back on.
history as (

    select
        states.artist_id,
        states.value_date,
        states.value

    from states

    inner join due
        on states.value_date > {{ add_days('due.first_date', -value.stage_days) }}

),

medians as (
    {{
        trailing_median(
            'history',
            'artist_id',
            'value_date',
            'value',
            value.stage_days,
            '(select due.first_date from due)',
        )
    }}
),

places as (

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

    from places

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

listings as (

    select
        states.artist_id,
        states.value_date,
        states.value,
        {{ confidence }} as confidence,
        {{ confidence }} >= {{ value.listed_confidence }}
        and states.unobserved_days <= {{ value.listed_unobserved_days }} as is_listed

    from states

    inner join due on states.value_date >= due.first_date

),

-- An artist is compared with the listed ones; before anybody is listed, with all.
compared as (

    select
        artist_id,
        value_date,
        value,
        confidence,
        is_listed,
        is_listed
        or count(*) filter (where is_listed) over (partition by value_date) = 0
            as is_reference

    from listings

),

indexes as (

    select
        value_date,
        {{ ratio('sum(cast(value as numeric(38, 20)))', 'count(*)') }} as mean_value

    from compared

    where is_reference

    group by value_date

),

scores as (

    select
        artist_id,
        value_date,
        value,
        confidence,
        is_listed,
        count(*) filter (where is_reference) over (
            partition by value_date
            order by value
            range between unbounded preceding and current row
            exclude group
        ) as outdone,
        count(*) filter (where is_reference) over (partition by value_date)
        - case when is_reference then 1 else 0 end as others

    from compared

),

final as (

    select
        scores.artist_id,
        scores.value_date,
        scores.confidence,
        scores.is_listed,
        100 * scores.value / indexes.mean_value as fundamental_price,
        coalesce(100 * {{ ratio('scores.outdone', 'scores.others') }}, 100) as score,
        stages.stage

    from scores

    inner join indexes on scores.value_date = indexes.value_date

    inner join stages
        on
            scores.artist_id = stages.artist_id
            and scores.value_date = stages.value_date

)

select * from final
