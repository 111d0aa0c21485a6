{# A statement that gives the planner the figures of the model's new rows; nothing for
   views and on engines that keep such figures themselves.
   Exists because PostgreSQL plans the next models blindly until somebody analyses. #}
{% macro analyzed() -%}
    {%- if execute and target.type == 'postgres'
        and model.config.materialized in ('table', 'incremental') -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
