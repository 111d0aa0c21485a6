{# Returns the median of an array of doubles, nulls left out; null for an empty array
   or null.
   Exists because PostgreSQL has neither medians over a window nor those of arrays. #}
{% macro array_median(items) -%}
    {{ return(adapter.dispatch('array_median')(items)) }}
{%- endmacro %}

{% macro default__array_median(items) -%}
    (
        select percentile_cont(0.5) within group (order by listed.item)
        from unnest({{ items }}) as listed (item)
    )
{%- endmacro %}

{% macro duckdb__array_median(items) -%}
    list_aggregate({{ items }}, 'median')
{%- endmacro %}

{% macro spark__array_median(items) -%}
    {{ spark__array_percentile(items, 0.5) }}
{%- endmacro %}
