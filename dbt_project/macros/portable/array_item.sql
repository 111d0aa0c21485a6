{# Returns the item of an array at a place, from 1; null past its ends and for null.
   Exists because Spark counts from 0 in brackets. #}
{% macro array_item(items, place) -%}
    {{ return(adapter.dispatch('array_item')(items, place)) }}
{%- endmacro %}

{% macro default__array_item(items, place) -%}
    {{ items }}[cast({{ place }} as integer)]
{%- endmacro %}

{% macro spark__array_item(items, place) -%}
    get({{ items }}, cast({{ place }} as integer) - 1)
{%- endmacro %}
