{# Returns the word between `as` and a CTE's parenthesis that has it worked out once.
   Exists because PostgreSQL puts a CTE that is read once into its reader, and there,
   inside a loop, works it out in every round. #}
{% macro worked_out_once() -%}
    materialized
{%- endmacro %}
