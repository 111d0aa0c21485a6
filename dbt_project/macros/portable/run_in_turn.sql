{# Runs statements one after the other, as dbt's statement `main`; all at once where the
   engine takes several. Exists because Spark takes one at a time. #}
{% macro run_in_turn(statements) -%}
    {{ return(adapter.dispatch('run_in_turn')(statements)) }}
{%- endmacro %}

{% macro default__run_in_turn(statements) -%}
    {%- call statement('main') -%}
        {{ statements | join(';\n') }}
    {%- endcall -%}
{%- endmacro %}

{% macro spark__run_in_turn(statements) -%}
    {%- for one in statements -%}
        {%- call statement('main') -%}
            {{ one }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
