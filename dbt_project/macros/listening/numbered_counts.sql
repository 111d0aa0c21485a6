{# Returns the CTE `numbered_<cte>`: the CTE of that name (counts by entity_type,
   listener_id and entity_id) with the numbers of int_entity_names in place of keys, and
   the columns in `kept`; to follow entity_numbers(). #}
{% macro numbered_counts(cte, kept=[]) -%}
numbered_{{ cte }} as (

    select
        {{ cte }}.entity_type,
        {% for column in kept %}
        {{ cte }}.{{ column }},
        {% endfor %}
        listener_numbers.entity_number as listener_number,
        entity_names.entity_number,
        {{ cte }}.scrobbles,
        {{ cte }}.listening_seconds

    from {{ cte }}

    left join listener_numbers on {{ cte }}.listener_id = listener_numbers.entity_id

    left join entity_names
        on
            {{ cte }}.entity_type = entity_names.entity_type
            and {{ cte }}.entity_id = entity_names.entity_id

),
{%- endmacro %}
