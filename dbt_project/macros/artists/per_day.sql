{# Returns a count in so many seconds, both bigint, as a double in 24 hours, cut to
   whole millionths; null if either is null or the seconds are 0.
   Exists so that sums of such rates are exact, whatever their order. #}
{% macro per_day(count, seconds) -%}
    {{ ratio(whole_ratio(count, seconds, 86400000000), 1000000) }}
{%- endmacro %}
