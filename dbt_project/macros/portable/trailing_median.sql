{# Returns a query: one row per row of `relation` from the day `first_day` on, with the
   median of `value` over the last `days` rows of its `key` as trailing_median.
   `relation` has one row per key and day, without holes.
   Exists because PostgreSQL has no medians over a window: it sorts arrays. #}
{% macro trailing_median(relation, key, day, value, days, first_day) -%}
    {{ return(adapter.dispatch('trailing_median')(
        relation, key, day, value, days, first_day
    )) }}
{%- endmacro %}

{% macro default__trailing_median(relation, key, day, value, days, first_day) %}
    select
        windowed.{{ key }},
        windowed.{{ day }},
        {{ array_median('windowed.items') }} as trailing_median
    from (
        select
            {{ key }},
            {{ day }},
            array_agg({{ value }}) over (
                partition by {{ key }} order by {{ day }}
                rows between {{ days - 1 }} preceding and current row
            ) as items
        from {{ relation }}
    ) as windowed
    where windowed.{{ day }} >= {{ first_day }}
{% endmacro %}

{% macro duckdb__trailing_median(relation, key, day, value, days, first_day) %}
    select slid.{{ key }}, slid.{{ day }}, slid.trailing_median
    from (
        select
            {{ key }},
            {{ day }},
            quantile_cont({{ value }}, 0.5) over (
                partition by {{ key }} order by {{ day }}
                rows between {{ days - 1 }} preceding and current row
            ) as trailing_median
        from {{ relation }}
    ) as slid
    where slid.{{ day }} >= {{ first_day }}
{% endmacro %}
