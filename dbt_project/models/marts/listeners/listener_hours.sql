-- One row per listener ('' is the whole panel), weekday and hour of the UTC day.
with

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

counted as (

    select
        listener_id,
        {{ iso_weekday('scrobbled_at') }} as weekday,
        cast(extract(hour from scrobbled_at) as integer) as hour,
        cast(count(*) as bigint) as scrobbles

    from scrobbles

    group by
        listener_id,
        {{ iso_weekday('scrobbled_at') }},
        cast(extract(hour from scrobbled_at) as integer)

),

with_panel as (

    select
        listener_id,
        weekday,
        hour,
        scrobbles

    from counted

    union all

    select
        cast('' as text) as listener_id,
        weekday,
        hour,
        cast(sum(scrobbles) as bigint) as scrobbles

    from counted

    group by weekday, hour

),

listeners as (

    select distinct listener_id from with_panel

),

weekdays as (

    select cast(weekday as integer) as weekday

    from (values (1), (2), (3), (4), (5), (6), (7)) as days (weekday)

),

hours as (

    select cast(hour as integer) as hour

    from (
        values
        {% for hour in range(24) %}({{ hour }}){{ ', ' if not loop.last }}{% endfor %}
    ) as clock (hour)

),

final as (

    select
        listeners.listener_id,
        weekdays.weekday,
        hours.hour,
        coalesce(with_panel.scrobbles, 0) as scrobbles

    from listeners

    cross join weekdays

    cross join hours

    left join with_panel
        on
            listeners.listener_id = with_panel.listener_id
            and weekdays.weekday = with_panel.weekday
            and hours.hour = with_panel.hour

)

select * from final
