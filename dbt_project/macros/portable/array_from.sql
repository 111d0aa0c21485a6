{# Returns the items of an array from a place on, from 1.
   Exists because Spark has a function for it. #}
{% macro array_from(items, place) -%}
    {{ return(adapter.dispatch('array_from')(items, place)) }}
{%- endmacro %}

{% macro default__array_from(items, place) -%}
    ({{ items }})[{{ place }}:]
{%- endmacro %}

{% macro spark__array_from(items, place) -%}
    slice({{ items }}, {{ place }}, size({{ items }}))
{%- endmacro %}
