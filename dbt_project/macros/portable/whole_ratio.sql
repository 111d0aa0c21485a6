{# Returns the whole part of a * factor / b for integers as a bigint; null if a or b is
   null or b is 0; the product cannot overflow. Exists because / keeps whole numbers on
   PostgreSQL only, and so that the sum of rates does not depend on its order. #}
{% macro whole_ratio(numerator, denominator, factor=1) -%}
    {{ return(adapter.dispatch('whole_ratio')(numerator, denominator, factor)) }}
{%- endmacro %}

{% macro default__whole_ratio(numerator, denominator, factor) -%}
    cast(
        div(
            cast({{ numerator }} as numeric) * {{ factor }},
            nullif(cast({{ denominator }} as numeric), 0)
        ) as bigint
    )
{%- endmacro %}

{% macro duckdb__whole_ratio(numerator, denominator, factor) -%}
    cast(
        (cast({{ numerator }} as hugeint) * {{ factor }})
        // nullif(cast({{ denominator }} as hugeint), 0) as bigint
    )
{%- endmacro %}

{% macro spark__whole_ratio(numerator, denominator, factor) -%}
    cast(
        (cast({{ numerator }} as decimal(38, 0)) * {{ factor }})
        div nullif(cast({{ denominator }} as decimal(38, 0)), 0) as bigint
    )
{%- endmacro %}
