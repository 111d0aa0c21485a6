{# Returns a / b as a double; null where either is null or b is 0.
   Exists because 7 / 2 is 3 on PostgreSQL and 3.5 on DuckDB. #}
{% macro ratio(numerator, denominator) -%}
    (
        cast({{ numerator }} as {{ type_double() }})
        / nullif(cast({{ denominator }} as {{ type_double() }}), 0)
    )
{%- endmacro %}
