{# Returns true where only what the loads after `built_through` touch is built; false
   for a full build, also where an unfinished first build has left tables behind. True
   while dbt parses, so that it sees what the models read in a partial build. #}
{% macro is_partial_build() -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- elif built_through() | int == 0 -%}
        {{ return(false) }}
    {%- elif model.config.materialized == 'incremental' -%}
        {{ return(is_incremental()) }}
    {%- else -%}
        {{ return(not should_full_refresh()) }}
    {%- endif -%}
{%- endmacro %}
