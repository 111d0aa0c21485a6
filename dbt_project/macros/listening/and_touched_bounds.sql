{# Returns an "and …" that keeps the span from the first to the last touched period, as
   literals: a scan can then leave out what is older, which a join does not. Nothing in
   a full build. `column` is a date, or a Unix second where `is_uts`. #}
{% macro and_touched_bounds(column, period='day', is_uts=false) -%}
    {%- if execute and is_partial_build() -%}
        {%- set query -%}
            select
                {{ listening_period_start(period, 'min(scrobbled_date)') }},
                {{ listening_period_next(
                    period, listening_period_start(period, 'max(scrobbled_date)')
                ) }}
            from {{ ref('int_touched_days') }}
        {%- endset -%}
        {%- set start, end = run_query(query).rows[0] -%}
        {%- if start is none -%}
            and 1 = 0
        {%- elif is_uts -%}
            {%- set epoch = modules.datetime.date(1970, 1, 1) -%}
            and {{ column }} >= {{ (start - epoch).days * 86400 }}
            and {{ column }} < {{ (end - epoch).days * 86400 }}
        {%- else -%}
            and {{ column }} >= cast('{{ start }}' as date)
            and {{ column }} < cast('{{ end }}' as date)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
