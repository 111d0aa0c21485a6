{# Incremental strategy `touched_listeners`: replaces everything about the listeners of
   whom the new loads change a play. The model has the column listener_id. #}
{% macro get_incremental_touched_listeners_sql(arg_dict) -%}
    {{ replace_touched(arg_dict, ref('int_touched_periods'), ['listener_id']) }}
{%- endmacro %}
