{# Returns the seconds from one timestamp to a later one as a double; null for null.
   Exists because extract(epoch …) is numeric on PostgreSQL and double on DuckDB. #}
{% macro seconds_between(from_at, to_at) -%}
    cast(extract(epoch from ({{ to_at }} - {{ from_at }})) as double precision)
{%- endmacro %}
