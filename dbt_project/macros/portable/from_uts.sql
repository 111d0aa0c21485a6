{# Returns the UTC timestamp (no zone) of whole seconds since 1970; null for null, for 0
   and less, and past the year 2099: last.fm's "no time", and no engine overflows.
   Exists because to_timestamp() carries the session's zone. #}
{% macro from_uts(uts) -%}
    case
        when {{ uts }} between 1 and 4102444799
            then {{ adapter.dispatch('from_real_uts')(uts) }}
    end
{%- endmacro %}

{% macro default__from_real_uts(uts) -%}
    (to_timestamp({{ uts }}) at time zone 'UTC')
{%- endmacro %}

{% macro duckdb__from_real_uts(uts) -%}
    make_timestamp({{ uts }} * 1000000)
{%- endmacro %}

{% macro spark__from_real_uts(uts) -%}
    (cast('1970-01-01' as timestamp) + make_dt_interval(0, 0, 0, {{ uts }}))
{%- endmacro %}
