{# Returns one row per day from the first to the last date, both inclusive, for use in a
   select list; no row if either is null. The outcome has to be cast to date.
   Exists because PostgreSQL expands generate_series(), DuckDB needs unnest() too. #}
{% macro each_day(first_date, last_date) -%}
    {{ return(adapter.dispatch('each_day')(first_date, last_date)) }}
{%- endmacro %}

{% macro default__each_day(first_date, last_date) -%}
    generate_series({{ first_date }}, {{ last_date }}, interval '1 day')
{%- endmacro %}

{% macro duckdb__each_day(first_date, last_date) -%}
    unnest(generate_series({{ first_date }}, {{ last_date }}, interval '1 day'))
{%- endmacro %}
