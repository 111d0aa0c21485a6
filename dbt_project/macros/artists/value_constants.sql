{# Returns the constants of the artist value that no fit chooses, by name: those of the
   project's variable `value` that are no column of int_value_constants.
   Exists so that no model takes a default for a constant that was fitted. #}
{% macro value_constants() -%}
    {%- set constants = {} -%}
    {%- for name, constant in var('value').items()
        if name not in fitted_constants() -%}
        {%- do constants.update({name: constant}) -%}
    {%- endfor -%}
    {{ return(constants) }}
{%- endmacro %}
