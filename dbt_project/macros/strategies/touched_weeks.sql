{# Incremental strategy `touched_weeks`: replaces the weeks of a listener in which the
   new loads change a play. The model has the columns listener_id and week_start. #}
{% macro get_incremental_touched_weeks_sql(arg_dict) -%}
    {%- set weeks -%}
        (select * from {{ ref('int_touched_periods') }} where period = 'week')
    {%- endset -%}
    {{ replace_touched(
        arg_dict, weeks, ['listener_id', ('period_start', 'week_start')]
    ) }}
{%- endmacro %}
