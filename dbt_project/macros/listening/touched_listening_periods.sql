{# Returns a condition for a pre-hook: rows (listener_id, period, period_start) of
   touched periods of that listener, or of anybody where it is '' (the panel). #}
{% macro touched_listening_periods() -%}
    ((listener_id = '' and {{ touched_periods() }}) or (
        (listener_id, period, period_start) in (
            {%- for period in [
                'day', 'week', 'month', 'quarter', 'half_year', 'year', 'all_time'
            ] %}
            select
                listener_id,
                '{{ period }}',
                {{ listening_period_start(period, 'scrobbled_date') }}
            from {{ ref('int_touched_days') }}
            {{ 'union' if not loop.last }}
            {%- endfor %}
        )
    ))
{%- endmacro %}
