{# Returns the date a number of days (integer, may be negative) later; null for null.
   Exists because the type of date + number is not the same everywhere. #}
{% macro add_days(date_column, days) -%}
    cast(({{ date_column }} + cast({{ days }} as integer)) as date)
{%- endmacro %}
