{# Returns the version that this build is made for, as a dictionary: its `name`, and its
   `edition`, one more than the last that was published. #}
{% macro this_version() -%}
    {%- set newest = newest_published() -%}
    {#- Read while running only, like built_through(). -#}
    {%- set name = env_var('SCROBBLE_VERSION', '') if execute else '' -%}
    {{ return({
        'name': name or 'unpublished',
        'edition': 1 if newest is none else newest.last_edition + 1,
    }) }}
{%- endmacro %}
