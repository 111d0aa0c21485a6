{# Returns the names of the constants of the artist value that `scrobble fit` can
   choose: the columns of int_value_constants.
   Exists so that the models and the mart of constants agree on which these are. #}
{% macro fitted_constants() -%}
    {{ return([
        'level_gain',
        'transient_gain',
        'transient_gain_large',
        'large_error',
        'transient_damping',
        'outlook_transient',
    ]) }}
{%- endmacro %}
