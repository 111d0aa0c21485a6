{# Returns an "and …" that keeps the scrobbles of the periods that the new loads touch
   (each listener's own periods, or everybody's); nothing in a full build. #}
{% macro and_touched(period, date_column, listener_column=none) -%}
    {%- if is_partial_build() -%}
        {%- set start = listening_period_start(period, date_column) -%}
        {%- set touched_start = listening_period_start(period, 'scrobbled_date') -%}
        {%- if listener_column is none -%}
            and {{ start }} in (
                select {{ touched_start }} from {{ ref('int_touched_days') }}
            )
        {%- else -%}
            and ({{ listener_column }}, {{ start }}) in (
                select listener_id, {{ touched_start }}
                from {{ ref('int_touched_days') }}
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# Returns the condition for rows (period, period_start) of periods that the new loads
   touch, of anybody; for pre-hooks. #}
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

{# Returns the condition for rows (listener_id, period, period_start) of touched periods
   of that listener, or of anybody where listener_id is '' (the panel); for pre-hooks. #}
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
