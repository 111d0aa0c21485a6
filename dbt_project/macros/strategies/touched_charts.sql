{# Incremental strategy `touched_charts`: like touched_periods, but also where an artist
   that was played has other main tags than before. #}
{% macro get_incremental_touched_charts_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict,
        ref('int_touched_charts'),
        ['listener_id', 'period', 'period_start']
    ) }}
{%- endmacro %}
