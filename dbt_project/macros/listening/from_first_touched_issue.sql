{# Returns the condition for rows of the issues drawn up anew and of all after the first
   of them in the same chart; for pre-hooks. #}
{% macro from_first_touched_issue() -%}
    exists (
        select 1
        from {{ ref('int_touched_issues') }} as touched
        where
            touched.chart = {{ this }}.chart
            and touched.scope = {{ this }}.scope
            and touched.period = {{ this }}.period
            and touched.issue_date <= {{ this }}.issue_date
    )
{%- endmacro %}
