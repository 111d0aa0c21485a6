{# Returns the columns of a position on a chart that say nothing of its history. #}
{% macro chart_position_columns() -%}
    chart,
        scope,
        period,
        issue_date,
        position,
        rank,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        scrobbles,
        scrobbles_capped,
        listeners,
        minutes,
        share_pct,
        lead_over_2_pct
{%- endmacro %}
