{# Returns the share of a day's forecast error that moves the transient, a double: of a
   large error more is believed than of a small one. `variance` is that of the errors up
   to the day before, `days` the observed days so far; no argument may be null.
   Exists so that the recursion of the states reads as its formula. #}
{% macro transient_gain(error, variance, days) -%}
    {%- set value = value_constants() -%}
    {%- set error_4 = [error, error, error, error] | join(' * ') -%}
    {%- set scale = value.large_error ~ ' * ' ~ value.large_error ~ ' * greatest('
        ~ variance ~ ', ' ~ value.least_variance ~ ')' -%}
    (
        {{ value.transient_gain }}
        + ({{ value.transient_gain_large }} - {{ value.transient_gain }})
        * {{ error_4 }} / ({{ error_4 }} + {{ scale }} * {{ scale }})
    )
    * least(1, {{ ratio(days ~ ' - 1', value.transient_days) }})
{%- endmacro %}
