{# Begins a model's transaction, in one statement where there is anything to say: the
   guard of a daily run's fence and the planner's settings. Not as hooks: dbt compiles a
   hook anew for each model, also where it says nothing. #}
{% macro begin_model() -%}
    {%- set guard = fence_guard() | trim -%}
    {%- set settings = planned_for_whole_tables() | trim -%}
    {%- if guard or settings -%}
        {%- call statement('begin') -%}
            {{ [guard, settings] | select | join(';\n') }}
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}
