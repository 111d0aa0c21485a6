{# Incremental strategy `touched_days`: replaces the days of a listener in which the new
   loads change a play. The model has the columns listener_id and scrobbled_date. #}
{% macro get_incremental_touched_days_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict, ref('int_touched_days'), ['listener_id', 'scrobbled_date']
    ) }}
{%- endmacro %}
