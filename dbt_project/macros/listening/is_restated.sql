{# Returns true in a partial build where the names ('name') or the main tags
   ('main_tags') of any entity are others than in the build before. #}
{% macro is_restated(change) -%}
    {%- set restated = ref('int_restated_entities') -%}
    {%- if not (execute and is_partial_build()) -%}
        {{ return(not execute) }}
    {%- endif -%}
    {%- set query -%}
        select count(*) from {{ restated }} where change = '{{ change }}'
    {%- endset -%}
    {{ return(run_query(query).rows[0][0] > 0) }}
{%- endmacro %}
