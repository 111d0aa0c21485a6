{# Returns an "and …" for a where clause that keeps the periods in which the new loads
   touch anybody's plays; nothing in a full build. #}
{% macro and_touched_by_anybody(period, date_column) -%}
    {%- if is_partial_build() -%}
        and {{ listening_period_start(period, date_column) }} in (
            select {{ listening_period_start(period, 'scrobbled_date') }}
            from {{ ref('int_touched_days') }}
        )
    {%- endif -%}
{%- endmacro %}
