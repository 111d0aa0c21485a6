{# Returns the statement that drops a table or view, and the views that read it.
   Exists because Spark has no `cascade` for them: its views do not hold a table. #}
{% macro drop_statement(relation) -%}
    {{ return(adapter.dispatch('drop_statement')(relation)) }}
{%- endmacro %}

{% macro default__drop_statement(relation) -%}
    drop {{ relation.type }} if exists {{ relation }} cascade
{%- endmacro %}

{% macro spark__drop_statement(relation) -%}
    drop {{ relation.type }} if exists {{ relation }}
{%- endmacro %}
