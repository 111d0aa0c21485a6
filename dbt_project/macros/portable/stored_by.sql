{# Returns an order for the rows of a model's last select, or nothing.
   DuckDB keeps rows in the order of their insertion and skips groups of rows by their
   least and largest values; on PostgreSQL an index does that, and sorting would be lost
   work. #}
{% macro stored_by(columns) -%}
    {{ return(adapter.dispatch('stored_by')(columns)) }}
{%- endmacro %}

{% macro default__stored_by(columns) -%}
    order by {{ columns | join(', ') }}
{%- endmacro %}

{% macro postgres__stored_by(columns) -%}
{%- endmacro %}

{% macro spark__stored_by(columns) -%}
{%- endmacro %}
