{# Returns a query: one row per artist with what the steps of `steps` up to the day
   `eve` leave for the next one: next_base_date, pending_state, last_ratio, and the last
   accepted flows as arrays, the newest last.
   Exists so that a further day costs one step. #}
{% macro carried_steps(steps, eve) -%}
    select
        artist_id,
        max(next_base_date) filter (where recency = 1) as next_base_date,
        max(pending_state) filter (where recency = 1) as pending_state,
        max(last_ratio) filter (where recency = 1) as last_ratio,
        {%- for name, flow in [
            ('listener_flows', 'new_listeners_per_day'), ('play_flows', 'plays_per_day')
        ] %}
        {{ ordered_array(flow, 'snapshot_date', 'plays_per_day is not null') }}
            as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            artist_id,
            snapshot_date,
            new_listeners_per_day,
            plays_per_day,
            next_base_date,
            pending_state,
            last_ratio,
            row_number() over latest as recency,
            count(plays_per_day) over latest as flows_since
        from {{ steps }}
        where snapshot_date <= {{ eve }}
        window latest as (partition by artist_id order by snapshot_date desc)
    ) as earlier
    where flows_since <= {{ var('snapshot').usual_flows }}
    group by artist_id
{%- endmacro %}
