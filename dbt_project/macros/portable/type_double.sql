{# Returns the name of the type of a 64-bit floating point number.
   Exists because Spark knows `double`, and PostgreSQL `double precision`. #}
{% macro type_double() -%}
    {{ return(adapter.dispatch('type_double')()) }}
{%- endmacro %}

{% macro default__type_double() -%}
    double precision
{%- endmacro %}

{% macro spark__type_double() -%}
    double
{%- endmacro %}
