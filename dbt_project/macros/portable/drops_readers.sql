{# Returns whether dropping a table drops the views that read it, as on PostgreSQL. #}
{% macro drops_readers() -%}
    {{ return(target.type == 'postgres') }}
{%- endmacro %}
