{# Returns a condition for a pre-hook: rows (period, period_start) of the periods in
   which the new loads touch anybody's plays. #}
{% macro touched_periods() -%}
    (period, period_start) in (
        {%- for period in [
            'day', 'week', 'month', 'quarter', 'half_year', 'year', 'all_time'
        ] %}
        select
            '{{ period }}',
            {{ listening_period_start(period, 'scrobbled_date') }}
        from {{ ref('int_touched_days') }}
        {{ 'union' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
