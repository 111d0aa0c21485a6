{# Returns the day the marts stand for, as a date: what the run says in
   SCROBBLE_AS_OF_DATE, else the variable `as_of_date`, else the last day that any load
   was made for. Periods that end before it are over. Read while running only, like
   built_through(). #}
{% macro as_of_date() -%}
    {%- set said = env_var('SCROBBLE_AS_OF_DATE', var('as_of_date', none) or '')
        if execute else '' -%}
    {%- if said -%}
        cast('{{ said }}' as date)
    {%- else -%}
        (select max(as_of_date) from {{ ref('stg_ledger__loads') }})
    {%- endif -%}
{%- endmacro %}
