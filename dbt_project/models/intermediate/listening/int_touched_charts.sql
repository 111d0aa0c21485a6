-- One row per listener ('' is the panel) and period whose charts change with new loads.
--
-- Because a play changed in it, or because an artist who was played in it has other
-- main tags than before.
{{ config(materialized='noted', grain=['listener_id', 'period', 'period_start']) }}
with

touched_periods as (

    select * from {{ ref('int_touched_periods') }}

),

{% if is_restated('main_tags') %}
counts as (

    select * from {{ ref('int_listener_counts') }}

    where entity_type = 'artist'

),

restated as (

    select * from {{ ref('int_restated_entities') }}

    where change = 'main_tags'

),

period_parts as (

    select * from {{ ref('int_period_parts') }}

),

periods as (

    select * from {{ ref('int_periods') }}

),

retagged as (

    select distinct
        counts.listener_id,
        counts.period,
        counts.period_start

    from counts

    inner join restated on counts.entity_id = restated.entity_id

),

-- A month is a part of everything longer.
retagged_periods as (

    select
        retagged.listener_id,
        period_parts.period,
        period_parts.period_start

    from retagged

    inner join period_parts
        on
            retagged.period = period_parts.part
            and retagged.period_start = period_parts.part_start

    union

    select
        retagged.listener_id,
        period_parts.period,
        period_parts.period_start

    from retagged

    inner join period_parts
        on
            retagged.period = 'month'
            and period_parts.part = 'year'
            and period_parts.part_start
            = {{ period_start('year', 'retagged.period_start') }}

),

with_panel as (

    select
        listener_id,
        period,
        period_start

    from retagged_periods

    union

    select
        cast('' as {{ type_string() }}) as listener_id,
        period,
        period_start

    from retagged_periods

),

{% endif %}
final as (

    select
        listener_id,
        period,
        period_start,
        next_period_start

    from touched_periods

    {% if is_restated('main_tags') %}
    union

    select
        with_panel.listener_id,
        with_panel.period,
        with_panel.period_start,
        periods.next_period_start

    from with_panel

    inner join periods
        on
            with_panel.period = periods.period
            and with_panel.period_start = periods.period_start
    {% endif %}

)

select * from final
