{# Returns the texts of a group joined by `separator`, in the order of `order_by`; where
   `is_distinct` each once, then in their own order.
   Exists because the standard's listagg is string_agg on PostgreSQL and DuckDB. #}
{% macro joined_text(text, separator, order_by, is_distinct=false) -%}
    {%- set texts = ('distinct ' if is_distinct else '') ~ text -%}
    {{ return(adapter.dispatch('joined_text')(texts, separator, order_by)) }}
{%- endmacro %}

{% macro default__joined_text(texts, separator, order_by) -%}
    string_agg({{ texts }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro spark__joined_text(texts, separator, order_by) -%}
    listagg({{ texts }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}
