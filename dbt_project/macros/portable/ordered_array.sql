{# Returns the array of `item` of the rows of a group for which `condition` holds, in
   the order of the column `order_by`.
   Exists because Spark orders what it has collected, not what it collects. #}
{% macro ordered_array(item, order_by, condition) -%}
    {{ return(adapter.dispatch('ordered_array')(item, order_by, condition)) }}
{%- endmacro %}

{% macro default__ordered_array(item, order_by, condition) -%}
    array_agg({{ item }} order by {{ order_by }}) filter (where {{ condition }})
{%- endmacro %}

{% macro spark__ordered_array(item, order_by, condition) -%}
    transform(
        sort_array(
            collect_list(struct({{ order_by }} as place, {{ item }} as item))
                filter (where {{ condition }})
        ),
        one -> one.item
    )
{%- endmacro %}
