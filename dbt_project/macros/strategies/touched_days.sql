{# Incremental strategy `touched_days`: replaces the days of a listener in which the new
   loads change a play. The model has the columns listener_id and scrobbled_date. #}
{% macro get_incremental_touched_days_sql(arg_dict) -%}
    {%- set days -%}
        (select * from {{ ref('int_touched_periods') }} where period = 'day')
    {%- endset -%}
    {{ replace_touched(
        arg_dict, days, ['listener_id', ('period_start', 'scrobbled_date')]
    ) }}
{%- endmacro %}
