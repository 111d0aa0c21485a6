{# Returns an "and …" for a where clause that keeps a listener's own periods which the
   new loads touch; nothing in a full build. #}
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
