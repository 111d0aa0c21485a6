{# Incremental strategy `touched_issues`: replaces the issues of a chart from the first
   one drawn up anew on, because history follows from issue to issue. The model has the
   columns chart, scope, period and issue_date. #}
{% macro get_incremental_touched_issues_sql(arg_dict) -%}
    {{ replace_touched(
        arg_dict,
        ref('int_touched_issues'),
        ['chart', 'scope', 'period'],
        since='issue_date'
    ) }}
{%- endmacro %}
