{# Incremental strategy `touched_flags`: replaces the days of a listener on which a flag
   or its evidence is another one now. The model has the columns listener_id and
   scrobbled_date. #}
{% macro get_incremental_touched_flags_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict, ref('int_touched_flags'), ['listener_id', 'scrobbled_date']
    ) }}
{%- endmacro %}
