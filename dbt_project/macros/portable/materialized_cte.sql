{# Returns the word between `as` and a CTE's parenthesis that has it computed once.
   Exists because PostgreSQL merges a CTE that is referenced once into its reader, and
   there, inside a loop, computes it in every round. Spark does not know the word. #}
{% macro materialized_cte() -%}
    {{- 'materialized' if target.type != 'spark' -}}
{%- endmacro %}
