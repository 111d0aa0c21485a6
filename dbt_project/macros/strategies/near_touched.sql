{# Returns a relation to select from: of `relation`, which has the columns listener_id
   and scrobbled_date, the rows of touched listeners that lie at most so many days from
   their touched days; in a full build all. #}
{% macro near_touched(relation, days) -%}
    {%- set touched_days = ref('int_touched_days') -%}
    {%- if not (execute and is_partial_build()) -%}
        {{ return(relation) }}
    {%- endif -%}
    (
        select days_near.*
        from {{ relation }} as days_near
        inner join (
            select
                listener_id as touched_listener_id,
                {{ add_days('min(scrobbled_date)', -days) }} as first_date,
                {{ add_days('max(scrobbled_date)', days) }} as last_date
            from {{ touched_days }}
            group by listener_id
        ) as spans
            on
                days_near.listener_id = spans.touched_listener_id
                and days_near.scrobbled_date >= spans.first_date
                and days_near.scrobbled_date <= spans.last_date
    ) as near_touched
{%- endmacro %}
