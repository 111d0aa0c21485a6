{# Returns the array's items that are not null in ascending order; null for null.
   Exists because PostgreSQL sorts arrays by unnesting, DuckDB by a list function. #}
{% macro sorted_array(items) -%}
    {{ return(adapter.dispatch('sorted_array')(items)) }}
{%- endmacro %}

{% macro default__sorted_array(items) -%}
    (
        select array_agg(listed.item order by listed.item)
        from unnest({{ items }}) as listed (item)
        where listed.item is not null
    )
{%- endmacro %}

{% macro duckdb__sorted_array(items) -%}
    list_sort(list_filter({{ items }}, lambda item: item is not null))
{%- endmacro %}

{% macro spark__sorted_array(items) -%}
    filter(sort_array({{ items }}), item -> item is not null)
{%- endmacro %}
