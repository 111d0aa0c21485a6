{# Returns the version that this build is made for, as a dictionary: its `name`, and its
   `fence`, the number in it. Read while running only, like built_through(). #}
{% macro this_version() -%}
    {%- set name = env_var('SCROBBLE_VERSION', '') if execute else '' -%}
    {%- set fence = name.split('-')[-1] if '-' in name else 0 -%}
    {{ return({'name': name or 'unpublished', 'fence': fence | int}) }}
{%- endmacro %}
