{# Returns an "and …" that keeps the days for which the new loads hold chart answers,
   as literals: staging numbers the answers of each day, and only literals keep it from
   numbering the years before. All days, where the loads correct an artist's name. #}
{% macro and_newly_answered(date_column) -%}
    {%- if execute and is_partial_build() and not is_corrected() -%}
        {%- set days -%}
            select distinct as_of_date
            from {{ ref('stg_lastfm__answers') }}
            where
                load_id > {{ built_through() }}
                and split_part(lower(method), '.', 1) in ('chart', 'geo', 'tag')
            order by as_of_date
        {%- endset -%}
        and {{ date_column }} in (
            cast(null as date)
            {%- for row in run_query(days).rows -%}
                , cast('{{ row[0] }}' as date)
            {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}
