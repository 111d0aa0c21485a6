{# Returns an "and …" that keeps the plays of all-time issues drawn up anew, as a
   literal: where none is, as on most days, no play needs to be read. #}
{% macro and_before_all_time_ends(date_column) -%}
    {%- if execute -%}
        {%- set query -%}
            select max({{ listening_period_next('month', 'issue_date') }})
            from {{ ref('int_touched_issues') }}
            where period = 'all_time'
        {%- endset -%}
        {%- set end = run_query(query).rows[0][0] -%}
        {%- if end is none -%}
            and 1 = 0
        {%- else -%}
            and {{ date_column }} < cast('{{ end }}' as date)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
