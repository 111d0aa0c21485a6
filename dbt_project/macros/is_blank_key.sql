{# Whether a key is that of a name that prints as nothing (warehouse/names.py): all
   other keys are case-folded and have no capital U. #}
{% macro is_blank_key(key='name_key') -%}
    {{ key }} like '(blank name U+%'
{%- endmacro %}
