{# Conditions that keep the periods which the new loads touch. All return an "and …" for
   a where clause, and nothing in a full build. #}

{# A listener's own periods (the key is at hand). #}
{% macro and_touched(period, date_column, listener_column) -%}
    {%- if is_partial_build() -%}
        and ({{ listener_column }}, {{ listening_period_start(period, date_column) }})
        in (
            select
                listener_id,
                {{ listening_period_start(period, 'scrobbled_date') }}
            from {{ ref('int_touched_days') }}
        )
    {%- endif -%}
{%- endmacro %}

{# Anybody's periods. #}
{% macro and_touched_by_anybody(period, date_column) -%}
    {%- if is_partial_build() -%}
        and {{ listening_period_start(period, date_column) }} in (
            select {{ listening_period_start(period, 'scrobbled_date') }}
            from {{ ref('int_touched_days') }}
        )
    {%- endif -%}
{%- endmacro %}

{# A listener's own periods where the listener is a number (see numbered_plays). #}
{% macro and_touched_by_number(period, date_column) -%}
    {%- if is_partial_build() -%}
        and (listener_number, {{ listening_period_start(period, date_column) }}) in (
            select
                listener_numbers.entity_number,
                {{ listening_period_start(period, 'touched.scrobbled_date') }}
            from {{ ref('int_touched_days') }} as touched
            inner join listener_numbers
                on touched.listener_id = listener_numbers.entity_id
        )
    {%- endif -%}
{%- endmacro %}

{# For listening by tag: everything, where the main tags of any artist are others now. #}
{% macro or_retagged() -%}
    {%- if is_partial_build() -%}
        or exists (
            select 1 from {{ ref('int_restated_entities') }}
            where change = 'main_tags'
        )
    {%- endif -%}
{%- endmacro %}

{# The same for the pre-hook of a mart with the column entity_type. #}
{% macro or_tag_rows_retagged() -%}
    {{ '' }} or (entity_type = 'tag' and exists (
        select 1 from {{ ref('int_restated_entities') }}
        where change = 'main_tags'
    ))
{%- endmacro %}

{# Rows (period, period_start) of anybody's touched periods; a condition for pre-hooks. #}
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

{# Rows (listener_id, period, period_start) of touched periods of that listener, or of
   anybody where listener_id is '' (the panel); a condition for pre-hooks. #}
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
