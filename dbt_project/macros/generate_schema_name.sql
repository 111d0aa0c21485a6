{# The schema of a model: the layer's own name, never prefixed by the target's. Marts
   go where SCROBBLE_MARTS_SCHEMA says, so that a run can build beside what is read. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif custom_schema_name == 'marts' -%}
        {{ env_var('SCROBBLE_MARTS_SCHEMA', 'marts') }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
