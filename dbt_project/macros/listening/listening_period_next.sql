{# Returns the first day after the period that starts on a date; null for null and for
   'all_time', which does not end. #}
{% macro listening_period_next(period, start_column) -%}
    {%- set lengths = {
        'day': '1 day', 'week': '7 days', 'month': '1 month',
        'quarter': '3 months', 'half_year': '6 months', 'year': '1 year',
    } -%}
    {%- if period == 'all_time' -%}
        cast(null as date)
    {%- else -%}
        cast({{ start_column }} + interval '{{ lengths[period] }}' as date)
    {%- endif -%}
{%- endmacro %}
