{# Returns the whole seconds since 1970 of a UTC timestamp (no zone) as a bigint,
   rounded; null for null. Exists because Spark does not know extract(epoch …). #}
{% macro to_uts(at) -%}
    {{ return(adapter.dispatch('to_uts')(at)) }}
{%- endmacro %}

{% macro default__to_uts(at) -%}
    cast(extract(epoch from {{ at }}) as bigint)
{%- endmacro %}

{% macro spark__to_uts(at) -%}
    cast(
        round({{ seconds_between("cast('1970-01-01' as timestamp)", at) }}) as bigint
    )
{%- endmacro %}
