{# Returns an array of 64-bit floating point numbers of the given expressions, which may
   be none. Exists because Spark has another word for an array and for its type. #}
{% macro array_of_doubles(items=[]) -%}
    {{ return(adapter.dispatch('array_of_doubles')(items)) }}
{%- endmacro %}

{% macro default__array_of_doubles(items) -%}
    cast(array[{{ items | join(', ') }}] as {{ type_double() }}[])
{%- endmacro %}

{% macro spark__array_of_doubles(items) -%}
    cast(array({{ items | join(', ') }}) as array<double>)
{%- endmacro %}
