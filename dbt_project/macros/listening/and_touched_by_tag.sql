{# Returns an "and …" like and_touched(), for listening by tag: where the main tags of any
   artist are others now, every period is counted again. #}
{% macro and_touched_by_tag(period, start_column, listener_column=none) -%}
    {%- if is_partial_build() -%}
        {%- set touched_start = listening_period_start(period, 'scrobbled_date') -%}
        and (
            exists (
                select 1 from {{ ref('int_restated_entities') }}
                where change = 'main_tags'
            )
            or
            {%- if listener_column is none %}
            {{ start_column }} in (
                select {{ touched_start }} from {{ ref('int_touched_days') }}
            )
            {%- else %}
            ({{ listener_column }}, {{ start_column }}) in (
                select listener_id, {{ touched_start }}
                from {{ ref('int_touched_days') }}
            )
            {%- endif %}
        )
    {%- endif -%}
{%- endmacro %}
