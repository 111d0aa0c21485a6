{# Returns one date per day from the first to the last date, both inclusive, for use
   in a select list; no row if either is null.
   Exists because PostgreSQL expands generate_series(), DuckDB needs unnest() too, and
   Spark has another function. #}
{% macro each_day(first_date, last_date) -%}
    {{ return(adapter.dispatch('each_day')(first_date, last_date)) }}
{%- endmacro %}

{% macro default__each_day(first_date, last_date) -%}
    cast(generate_series({{ first_date }}, {{ last_date }}, interval '1 day') as date)
{%- endmacro %}

{% macro duckdb__each_day(first_date, last_date) -%}
    cast(
        unnest(generate_series({{ first_date }}, {{ last_date }}, interval '1 day'))
        as date
    )
{%- endmacro %}

{% macro spark__each_day(first_date, last_date) -%}
    explode(
        case
            when {{ first_date }} <= {{ last_date }}
                then sequence({{ first_date }}, {{ last_date }}, interval '1 day')
        end
    )
{%- endmacro %}
