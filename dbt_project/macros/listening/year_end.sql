{# Returns the last day of the year in which a date lies; null for null. #}
{% macro year_end(day) -%}
    cast({{ period_start('year', day) }} + interval '1 year' - interval '1 day' as date)
{%- endmacro %}
