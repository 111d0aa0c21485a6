-- One row per listener ('' is the panel) and period in which new loads change a play.
--
-- Or whether the plays of a day count.
{{ config(materialized='noted', grain=['listener_id', 'period', 'period_start']) }}
with

touched_days as (

    select
        listener_id,
        scrobbled_date

    from {{ ref('int_touched_days') }}

    union

    select
        listener_id,
        scrobbled_date

    from {{ ref('int_touched_flags') }}

    where is_count_changed

),

period_parts as (

    select * from {{ ref('int_period_parts') }}

    where part = 'day'

),

periods as (

    select * from {{ ref('int_periods') }}

),

touched as (

    select
        touched_days.listener_id,
        period_parts.period,
        period_parts.period_start

    from touched_days

    inner join period_parts on touched_days.scrobbled_date = period_parts.part_start

),

with_panel as (

    select
        listener_id,
        period,
        period_start

    from touched

    union

    select
        cast('' as {{ type_string() }}) as listener_id,
        period,
        period_start

    from touched

),

final as (

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

)

select * from final
