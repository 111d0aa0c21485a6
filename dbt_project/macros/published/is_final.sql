{# Returns the condition that what stands for a day is final on the day of this build. A
   day is provisional until two days later: listeners send plays late. #}
{% macro is_final(day) -%}
    {{ day }} <= {{ add_days(as_of_date(), '-' ~ var('provisional_days')) }}
{%- endmacro %}
