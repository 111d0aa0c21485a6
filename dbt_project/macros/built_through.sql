{# Returns the load up to which the marts are built: what the run says in
   SCROBBLE_BUILT_THROUGH, else the variable `built_through`. Read while running only:
   another value on another day must not make dbt parse the whole project again. #}
{% macro built_through() -%}
    {%- if execute -%}
        {{ env_var('SCROBBLE_BUILT_THROUGH', var('built_through', 0) | string) | int }}
    {%- else -%}
        0
    {%- endif -%}
{%- endmacro %}
