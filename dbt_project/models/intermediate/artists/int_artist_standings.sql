-- One row per artist and UTC day with the artist's standing among the day's artists.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = value_constants() %}
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

states as (

    select * from {{ ref('int_artist_states') }}

),

blank_names as (

    select artist_id

    from {{ ref('int_artists') }}

    where {{ is_blank_key() }}

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

listings as (

    select
        states.artist_id,
        states.value_date,
        states.value,
        medians.trailing_median,
        {{
            ratio(
                'states.history_days',
                'states.history_days + ' ~ value.confidence_days,
            )
        }} as confidence,
        states.history_days >= {{ value.listed_history_days }}
        and states.unobserved_days < {{ value.listed_days }}
        and blank_names.artist_id is null as is_listed

    from states

    left join blank_names on states.artist_id = blank_names.artist_id

    inner join medians
        on
            states.artist_id = medians.artist_id
            and states.value_date = medians.value_date

),

-- The mean value is that of the listed artists; before anybody is listed, of all. It
-- is a sum of exact numbers, which does not depend on the order of adding.
indexes as (

    select
        value_date,
        coalesce(
            {{
                ratio(
                    'sum(cast(value as numeric(38, 18))) filter (where is_listed)',
                    'count(*) filter (where is_listed)',
                )
            }},
            {{ ratio('sum(cast(value as numeric(38, 18)))', 'count(*)') }}
        ) as mean_value

    from listings

    group by value_date

),

-- Among the listed artists only.
places as (

    select
        artist_id,
        value_date,
        row_number() over (
            partition by value_date order by trailing_median desc, artist_id
        ) as place,
        rank() over (partition by value_date order by value) - 1 as outdone,
        count(*) over (partition by value_date) as artists

    from listings

    where is_listed

),

stage_sizes as (

    select
        artist_id,
        value_date,
        place,
        100 * {{ ratio('outdone', 'artists') }} as score,
        greatest(ceil(artists * {{ value.superstar_share }}), 1) as superstars,
        greatest(ceil(artists * {{ value.mainstream_share }}), 2) as mainstreams,
        greatest(ceil(artists * {{ value.mid_level_share }}), 4) as mid_levels

    from places

),

final as (

    select
        listings.artist_id,
        listings.value_date,
        listings.confidence,
        listings.is_listed,
        100 * listings.value / indexes.mean_value as fundamental_price,
        stage_sizes.score,
        case
            when stage_sizes.place <= stage_sizes.superstars then 'superstar'
            when
                stage_sizes.place
                <= stage_sizes.superstars + stage_sizes.mainstreams
                then 'mainstream'
            when
                stage_sizes.place
                <= stage_sizes.superstars + stage_sizes.mainstreams
                + stage_sizes.mid_levels
                then 'mid-level'
            when listings.is_listed then 'developing'
        end as stage

    from listings

    inner join indexes on listings.value_date = indexes.value_date

    left join stage_sizes
        on
            listings.artist_id = stage_sizes.artist_id
            and listings.value_date = stage_sizes.value_date

)

select * from final
