{# Returns the median of a group as a double, nulls left out; null if nothing is left.
   Exists because percentile_cont keeps the input's type on DuckDB. #}
{% macro median(expression) -%}
    cast(
        percentile_cont(0.5) within group (
            order by cast({{ expression }} as double precision)
        ) as double precision
    )
{%- endmacro %}
