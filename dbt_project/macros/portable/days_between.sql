{# Returns the whole days from one date to a later one as an integer; null for null.
   Exists because a difference of dates is bigint on DuckDB, integer on PostgreSQL. #}
{% macro days_between(from_date, to_date) -%}
    cast(({{ to_date }} - {{ from_date }}) as integer)
{%- endmacro %}
