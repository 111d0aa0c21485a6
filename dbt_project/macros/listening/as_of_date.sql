{# Returns the day the marts stand for, as a date: var as_of_date, else the last day that
   any load was made for. Periods that end before it are over. #}
{% macro as_of_date() -%}
    {%- if var('as_of_date', none) -%}
        cast('{{ var("as_of_date") }}' as date)
    {%- else -%}
        (select max(as_of_date) from {{ ref('stg_ledger__loads') }})
    {%- endif -%}
{%- endmacro %}
