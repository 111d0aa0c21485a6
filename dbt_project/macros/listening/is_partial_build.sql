{# Returns true where only what the loads after `built_through` touch is built; false for
   a full build, also where an unfinished first build has left tables behind. #}
{% macro is_partial_build() -%}
    {{ return(is_incremental() and var('built_through', 0) | int > 0) }}
{%- endmacro %}
