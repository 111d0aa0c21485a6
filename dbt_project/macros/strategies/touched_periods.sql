{# Incremental strategy `touched_periods`: replaces the periods of a listener ('' is the
   panel) in which the new loads change a play. The model has the columns listener_id,
   period and period_start. #}
{% macro get_incremental_touched_periods_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict,
        ref('int_touched_periods'),
        ['listener_id', 'period', 'period_start']
    ) }}
{%- endmacro %}
