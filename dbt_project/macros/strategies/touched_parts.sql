{# Returns a relation to select from: the rows of int_period_parts for periods whose
   charts and lists a build makes anew; all of them in a full build. #}
{% macro touched_parts(touched='int_touched_charts') -%}
    {%- set parts, periods = ref('int_period_parts'), ref(touched) -%}
    {%- if not (execute and is_partial_build()) -%}
        {{ return(parts) }}
    {%- endif -%}
    (
        select * from {{ parts }}
        where (period, period_start) in (
            select period, period_start from {{ periods }} where listener_id = ''
        )
    ) as touched_parts
{%- endmacro %}
