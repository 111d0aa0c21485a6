{# Returns what one listener's scrobbles of one entity count for on a chart of so many
   days: no more than var capped_scrobbles_per_week a week, scaled with the days and
   rounded down. To be applied once to the whole period, never to parts of it. #}
{% macro capped_scrobbles(scrobbles, days) -%}
    least(
        {{ scrobbles }},
        cast(
            floor(
                {{ ratio(
                    var('capped_scrobbles_per_week', 500) ~ ' * ' ~ days, 7
                ) }}
            ) as bigint
        )
    )
{%- endmacro %}
