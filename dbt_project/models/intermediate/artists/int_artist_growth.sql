-- One row per artist and UTC day with the growth of the artist's value.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='value_date',
        indexes=postgres_indexes([['value_date']]),
    )
}}
{%- set value = value_constants() %}
{%- set exact_value = 'cast(states.log_value as numeric(38, 20))' %}
{%- set all_days = value.growth_days + value.growth_base_days %}
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

states as (

    select * from {{ ref('int_artist_states') }}

),

standings as (

    select * from {{ ref('int_artist_standings') }}

),

due as (

    {{ days_to_value('snapshots') }}

),

-- Over observed days only, because the others repeat what was known before. Sums of
-- exact numbers: they do not depend on the order of adding.
windows as (

    select
        states.artist_id,
        states.value_date,
        states.unobserved_days,
        sum(case when states.is_observed then {{ exact_value }} end) over late
            as late_sum,
        count(case when states.is_observed then 1 end) over late as late_days,
        sum(case when states.is_observed then {{ exact_value }} end) over base
            as base_sum,
        count(case when states.is_observed then 1 end) over base as base_days

    from states

    inner join due on states.value_date > {{ add_days('due.first_date', -all_days) }}

    window
        late as (
            partition by states.artist_id
            order by states.value_date
            rows between {{ value.growth_days - 1 }} preceding and current row
        ),
        base as (
            partition by states.artist_id
            order by states.value_date
            rows between
            {{ all_days - 1 }} preceding and {{ value.growth_days }} preceding
        )

),

-- Of listed artists, who alone have a stage.
growths as (

    select
        standings.artist_id,
        standings.value_date,
        standings.stage,
        case
            when
                standings.is_listed
                and windows.late_days >= {{ value.growth_least_days }}
                and windows.base_days >= {{ value.growth_base_least_days }}
                and windows.unobserved_days < {{ value.growth_seen_days }}
                then
                    {{ ratio('windows.late_sum', 'windows.late_days') }}
                    - {{ ratio('windows.base_sum', 'windows.base_days') }}
        end as log_growth

    from standings

    inner join due on standings.value_date >= due.first_date

    inner join windows
        on
            standings.artist_id = windows.artist_id
            and standings.value_date = windows.value_date

),

-- The middle of growth in a stage and, with a null for the stage, in all.
centres as (

    select
        value_date,
        stage,
        {{ median('log_growth') }} as centre,
        count(*) as artists

    from growths

    where log_growth is not null

    group by grouping sets ((value_date, stage), (value_date))

),

spreads as (

    select
        growths.value_date,
        centres.stage,
        centres.centre,
        greatest(
            1.4826 * {{ median('abs(growths.log_growth - centres.centre)') }},
            {{ value.growth_least_spread }}
        ) as spread

    from growths

    inner join centres
        on
            growths.value_date = centres.value_date
            and (
                centres.stage is null
                or (
                    growths.stage = centres.stage
                    and centres.artists >= {{ value.growth_least_artists }}
                )
            )

    group by growths.value_date, centres.stage, centres.centre

),

-- A stage of a few artists is compared with all.
measured as (

    select
        growths.artist_id,
        growths.value_date,
        (growths.log_growth - coalesce(of_stage.centre, of_all.centre))
        / coalesce(of_stage.spread, of_all.spread) as growth

    from growths

    left join spreads as of_stage
        on
            growths.value_date = of_stage.value_date
            and growths.stage = of_stage.stage

    left join spreads as of_all
        on growths.value_date = of_all.value_date and of_all.stage is null

),

final as (

    select
        artist_id,
        value_date,
        growth,
        case
            when growth is null then 'insufficient history'
            when growth >= 8 then 'explosive'
            when growth >= 2 then 'high'
            when growth >= 1 then 'moderate'
            when growth >= -1 then 'even'
            else 'decline'
        end as growth_label

    from measured

)

select * from final
