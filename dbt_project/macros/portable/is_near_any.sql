{# Returns whether a number of the array `items` is within `tolerance` of `wanted`; with
   `tolerances`, an array beside it, within its own. All doubles; null for null.
   Exists because PostgreSQL has no functions over the elements of an array, and DuckDB
   is slow at a subquery for each row of a recursion. #}
{% macro is_near_any(items, wanted, tolerance, tolerances=none) -%}
    {{ return(adapter.dispatch('is_near_any')(items, wanted, tolerance, tolerances)) }}
{%- endmacro %}

{% macro default__is_near_any(items, wanted, tolerance, tolerances) -%}
    exists (
        select 1
        {% if tolerances -%}
        from unnest({{ items }}, {{ tolerances }}) as listed (item, tolerance)
        where abs(listed.item - ({{ wanted }})) <= listed.tolerance
        {%- else -%}
        from unnest({{ items }}) as listed (item)
        where abs(listed.item - ({{ wanted }})) <= {{ tolerance }}
        {%- endif %}
    )
{%- endmacro %}

{% macro duckdb__is_near_any(items, wanted, tolerance, tolerances) -%}
    {% if tolerances -%}
    coalesce(len(list_filter(
        list_zip({{ items }}, {{ tolerances }}),
        lambda pair: abs(pair[1] - ({{ wanted }})) <= pair[2]
    )) > 0, false)
    {%- else -%}
    coalesce(len(list_filter(
        {{ items }}, lambda item: abs(item - ({{ wanted }})) <= {{ tolerance }}
    )) > 0, false)
    {%- endif %}
{%- endmacro %}
