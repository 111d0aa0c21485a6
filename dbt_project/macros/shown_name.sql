{# Returns the name to print: the key of a name that prints as nothing lists its
   characters, and stands in for it. #}
{% macro shown_name(name, key='name_key') -%}
    case when {{ is_blank_key(key) }} then {{ key }} else {{ name }} end
{%- endmacro %}
