{# Returns one row per step (an interval in words, '1 month') from the first to the last
   date, both inclusive, for use in a select list; no row if either is null. The outcome
   has to be cast to date.
   Exists because PostgreSQL expands generate_series(), DuckDB needs unnest() too. #}
{% macro each_period(first_date, last_date, step) -%}
    {{ return(adapter.dispatch('each_period')(first_date, last_date, step)) }}
{%- endmacro %}

{% macro default__each_period(first_date, last_date, step) -%}
    generate_series(
        cast({{ first_date }} as timestamp),
        cast({{ last_date }} as timestamp),
        interval '{{ step }}'
    )
{%- endmacro %}

{% macro duckdb__each_period(first_date, last_date, step) -%}
    unnest(
        generate_series(
            cast({{ first_date }} as timestamp),
            cast({{ last_date }} as timestamp),
            interval '{{ step }}'
        )
    )
{%- endmacro %}
