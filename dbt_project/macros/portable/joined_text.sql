{# Returns the texts of a group joined by `separator`, in the order of `order_by`; each
   once where `distinct` is 'distinct', then in their own order.
   Exists because the standard's listagg is string_agg on PostgreSQL and DuckDB. #}
{% macro joined_text(text, separator, order_by, distinct='') -%}
    {{ return(adapter.dispatch('joined_text')(text, separator, order_by, distinct)) }}
{%- endmacro %}

{% macro default__joined_text(text, separator, order_by, distinct) -%}
    string_agg({{ distinct }} {{ text }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro spark__joined_text(text, separator, order_by, distinct) -%}
    listagg({{ distinct }} {{ text }}, '{{ separator }}')
        within group (order by {{ order_by }})
{%- endmacro %}
