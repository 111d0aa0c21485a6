{# Returns the CTE `numbered_months`: the CTE `months` (rows of int_listener_months)
   with the numbers of int_entity_names in place of keys; to follow
   entity_numbers(). #}
{% macro numbered_months() -%}
numbered_months as (

    select
        months.entity_type,
        months.month_start,
        listener_numbers.entity_number as listener_number,
        entity_names.entity_number,
        months.scrobbles,
        months.listening_seconds

    from months

    left join listener_numbers on months.listener_id = listener_numbers.entity_id

    left join entity_names
        on
            months.entity_type = entity_names.entity_type
            and months.entity_id = entity_names.entity_id

),
{%- endmacro %}
