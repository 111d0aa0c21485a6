{# Returns what and_touched() does where the listener is a number, see numbered_plays();
   nothing in a full build. #}
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
