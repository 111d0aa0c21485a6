{# Returns an "and …" with the first and last second of the days touched, as literals:
   the scan of raw rows can then leave out what is older, which a join does not. #}
{% macro and_touched_bounds(uts_column) -%}
    {%- if execute and is_partial_build() -%}
        {%- set query -%}
            select
                {%- for end in ['min', 'max'] %}
                cast(
                    extract(
                        epoch from cast({{ end }}(scrobbled_date) as timestamp)
                    ) as bigint
                ) {{- ',' if not loop.last }}
                {%- endfor %}
            from {{ ref('int_touched_days') }}
        {%- endset -%}
        {%- set first, last = run_query(query).rows[0] -%}
        {%- if first is none -%}
            and 1 = 0
        {%- else -%}
            and {{ uts_column }} between {{ first }} and {{ last + 86399 }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
