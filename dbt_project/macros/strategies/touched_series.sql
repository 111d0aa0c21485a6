{# Incremental strategy `touched_series`: replaces a listener's ('' is the panel) series
   of periods from the first changed one on. The model has the columns listener_id,
   period and period_start. #}
{% macro get_incremental_touched_series_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict,
        ref('int_touched_series'),
        ['listener_id', 'period'],
        since='period_start'
    ) }}
{%- endmacro %}
