{# Returns the array of `item` of all rows of the query for which `condition` holds,
   nulls kept; null if there is none.
   Exists because Spark filters no function over a window, and collects no nulls. #}
{% macro array_where(item, condition) -%}
    {{ return(adapter.dispatch('array_where')(item, condition)) }}
{%- endmacro %}

{% macro default__array_where(item, condition) -%}
    array_agg({{ item }}) filter (where {{ condition }}) over ()
{%- endmacro %}

{% macro spark__array_where(item, condition) -%}
    transform(
        collect_list(case when {{ condition }} then struct({{ item }} as item) end)
            over (),
        one -> one.item
    )
{%- endmacro %}
