{# Returns the share of a day's forecast error that moves the level, a double; of an
   artist's first days so much that the level is their mean. `forecasts` names the
   relation with history_days. The query has int_value_constants as `constants`.
   Exists so that the recursion of the states reads as its formula. #}
{% macro level_gain(forecasts) -%}
    case
        when {{ forecasts }}.history_days < {{ value_constants().young_days }}
            then greatest(
                constants.level_gain, {{ ratio(1, forecasts ~ '.history_days') }}
            )
        else constants.level_gain
    end
{%- endmacro %}
