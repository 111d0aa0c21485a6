{# Returns the value below which `share` (0 to 1) of a group lies, as a double, between
   two values by their distance; nulls left out, null if nothing is left.
   Exists because percentile_cont keeps the input's type on DuckDB, and Spark's weighs
   the two values otherwise, which may differ in the last bit. #}
{% macro percentile(expression, share) -%}
    {{ return(adapter.dispatch('percentile')(expression, share)) }}
{%- endmacro %}

{% macro default__percentile(expression, share) -%}
    cast(
        percentile_cont({{ share }}) within group (
            order by cast({{ expression }} as {{ type_double() }})
        ) as {{ type_double() }}
    )
{%- endmacro %}

{% macro spark__percentile(expression, share) -%}
    {{ spark__array_percentile(
        'collect_list(cast(' ~ expression ~ ' as double))', share
    ) }}
{%- endmacro %}

{% macro spark__array_percentile(items, share) -%}
    {%- set place = '(size(ordered) - 1) * ' ~ share ~ 'd' -%}
    transform(
        array(filter(sort_array({{ items }}), item -> item is not null)),
        ordered -> get(ordered, cast(floor({{ place }}) as integer))
            + ({{ place }} - floor({{ place }}))
            * (
                get(ordered, cast(ceil({{ place }}) as integer))
                - get(ordered, cast(floor({{ place }}) as integer))
            )
    )[0]
{%- endmacro %}
