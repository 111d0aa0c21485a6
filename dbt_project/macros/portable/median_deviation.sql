{# Returns the median absolute deviation from the median of an array of doubles, nulls
   left out; null for an empty array or null.
   Exists because PostgreSQL has neither the function nor medians over a window. #}
{% macro median_deviation(items) -%}
    {{ return(adapter.dispatch('median_deviation')(items)) }}
{%- endmacro %}

{% macro default__median_deviation(items) -%}
    (
        select
            percentile_cont(0.5) within group (
                order by abs(listed.item - middle.item)
            )
        from
            unnest({{ items }}) as listed (item),
            (
                select percentile_cont(0.5) within group (order by inside.item) as item
                from unnest({{ items }}) as inside (item)
            ) as middle
    )
{%- endmacro %}

{% macro duckdb__median_deviation(items) -%}
    list_aggregate({{ items }}, 'mad')
{%- endmacro %}

{% macro spark__median_deviation(items) -%}
    transform(
        array({{ array_median(items) }}),
        middle -> {{ array_median(
            'transform(' ~ items ~ ', deviating -> abs(deviating - middle))'
        ) }}
    )[0]
{%- endmacro %}
