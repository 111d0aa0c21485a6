{# Returns the median of a group as a double, nulls left out; null if nothing is left.
   Exists for the same reason as percentile(). #}
{% macro median(expression) -%}
    {{ percentile(expression, 0.5) }}
{%- endmacro %}
