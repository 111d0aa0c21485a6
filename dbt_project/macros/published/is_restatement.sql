{# Returns the condition that a change to a day counts as a restatement: the day is
   final now, and was over when the newest version was published. False before anything
   was published. #}
{% macro is_restatement(day) -%}
    {%- set final = is_final(day) -%}
    {%- set newest = newest_published() -%}
    {%- if newest is none -%}
        false
    {%- else -%}
        ({{ final }} and {{ day }} < cast('{{ newest.version_date }}' as date))
    {%- endif -%}
{%- endmacro %}
