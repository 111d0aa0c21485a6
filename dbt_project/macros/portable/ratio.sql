{# Returns a / b as a double; null where either is null or b is 0.
   Exists because 7 / 2 is 3 on PostgreSQL and 3.5 on DuckDB. #}
{% macro ratio(numerator, denominator) -%}
    (
        cast({{ numerator }} as double precision)
        / nullif(cast({{ denominator }} as double precision), 0)
    )
{%- endmacro %}
