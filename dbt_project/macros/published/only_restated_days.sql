{# Returns an "and …" that is false in a partial build which touches no day whose
   change would be a restatement: most days bring none, and nothing is read then. #}
{% macro only_restated_days() -%}
    {%- set touched_days = ref('int_touched_days') -%}
    {%- if execute and is_partial_build() -%}
        {%- set query -%}
            select count(*) from {{ touched_days }}
            where {{ is_restatement('scrobbled_date') }}
        {%- endset -%}
        {{- 'and 1 = 0' if run_query(query).rows[0][0] == 0 -}}
    {%- endif -%}
{%- endmacro %}
