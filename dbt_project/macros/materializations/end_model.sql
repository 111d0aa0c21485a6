{# Ends a model's transaction, with figures of the new rows for what is planned next. #}
{% macro end_model() -%}
    {%- set statement_of_figures = analyzed() | trim -%}
    {%- if statement_of_figures -%}
        {%- call statement('figures') -%}
            {{ statement_of_figures }}
        {%- endcall -%}
    {%- endif -%}
    {%- do adapter.commit() -%}
{%- endmacro %}
