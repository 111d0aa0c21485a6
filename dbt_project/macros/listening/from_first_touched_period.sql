{# Returns the condition for rows (listener_id, period, period_start) on or after the
   first touched period of that listener ('' is anybody's); for pre-hooks. #}
{% macro from_first_touched_period() -%}
    exists (
        select 1
        from {{ ref('int_first_touched_periods') }} as touched
        where
            touched.listener_id = {{ this }}.listener_id
            and touched.period = {{ this }}.period
            and touched.period_start <= {{ this }}.period_start
    )
{%- endmacro %}
