{# Returns a value for a model's config `indexes`: one for each list of columns on
   PostgreSQL, none on DuckDB, where scans are quick and an index slows every insert. #}
{% macro postgres_indexes(column_lists) -%}
    {%- set indexes = [] -%}
    {%- if target.type == 'postgres' -%}
        {%- for columns in column_lists -%}
            {%- do indexes.append({'columns': columns}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(indexes) }}
{%- endmacro %}
