{# Returns the share of a day's forecast error that moves the transient, a double: of a
   large error more is believed than of a small one. `forecasts` names the relation with
   forecast_error, error_variance (of the day before) and history_days, none of them
   null. The query has int_value_constants as `constants`.
   Exists so that the recursion of the states reads as its formula. #}
{% macro transient_gain(forecasts) -%}
    {%- set value = value_constants() -%}
    {%- set error = forecasts ~ '.forecast_error' -%}
    {%- set error_4 = [error, error, error, error] | join(' * ') -%}
    {%- set scale = 'constants.large_error * constants.large_error * greatest('
        ~ forecasts ~ '.error_variance, ' ~ value.least_variance ~ ')' -%}
    (
        constants.transient_gain
        + (constants.transient_gain_large - constants.transient_gain)
        * {{ error_4 }} / ({{ error_4 }} + {{ scale }} * {{ scale }})
    )
    * least(1, {{ ratio(forecasts ~ '.history_days - 1', value.transient_days) }})
{%- endmacro %}
