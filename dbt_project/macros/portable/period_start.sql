{# Returns the first day of the period ('week' from Monday, 'month', 'quarter', 'year')
   a date or timestamp lies in, as a date; null for null.
   Exists because the type of date_trunc differs and time zones follow. #}
{% macro period_start(period, date_column) -%}
    cast(date_trunc('{{ period }}', {{ date_column }}) as date)
{%- endmacro %}
