{# Returns the seconds from one timestamp to a later one as a double; null for null.
   Exists because extract(epoch …) is numeric on PostgreSQL and double on DuckDB, and
   unknown to Spark. #}
{% macro seconds_between(from_at, to_at) -%}
    {{ return(adapter.dispatch('seconds_between')(from_at, to_at)) }}
{%- endmacro %}

{% macro default__seconds_between(from_at, to_at) -%}
    cast(extract(epoch from ({{ to_at }} - {{ from_at }})) as {{ type_double() }})
{%- endmacro %}

{% macro spark__seconds_between(from_at, to_at) -%}
    (timestampdiff(microsecond, {{ from_at }}, {{ to_at }}) / 1000000d)
{%- endmacro %}
