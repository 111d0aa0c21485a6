{# Returns the constants of the artist value by name: the one place where models get
   them. They are the variables `value` of the project.
   Exists so that what is fitted to a history replaces a default in every model. #}
{% macro value_constants() -%}
    {{ return(var('value')) }}
{%- endmacro %}
