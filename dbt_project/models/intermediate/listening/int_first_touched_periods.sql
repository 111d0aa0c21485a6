-- One row per listener ('' is the panel) and kind of period with something touched.
--
-- With the first start from which the trend has to be told anew.
{% set periods = ['day', 'week', 'month', 'year'] %}
with

touched_days as (

    select * from {{ ref('int_touched_days') }}

),

listening as (

    select * from {{ ref('int_listening_periods') }}

),

first_days as (

    select
        listener_id,
        min(scrobbled_date) as first_date

    from touched_days

    group by listener_id

    union all

    select
        cast('' as text) as listener_id,
        min(scrobbled_date) as first_date

    from touched_days

),

first_periods as (

{% for period in periods %}
    select
        listener_id,
        cast('{{ period }}' as text) as period,
        {{ listening_period_start(period, 'first_date') }} as period_start

    from first_days

    where first_date is not null

    {{ 'union all' if not loop.last }}

{% endfor %}
),

-- The zeros before a play stand there because of it: where it is gone, so are they.
final as (

    select
        first_periods.listener_id,
        first_periods.period,
        coalesce(
            max(listening.period_start), first_periods.period_start
        ) as period_start

    from first_periods

    left join listening
        on
            first_periods.listener_id = listening.listener_id
            and first_periods.period = listening.period
            and first_periods.period_start > listening.period_start

    group by
        first_periods.listener_id,
        first_periods.period,
        first_periods.period_start

)

select * from final
