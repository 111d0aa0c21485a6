{# Returns the columns of a position on a chart that say nothing of its history; of the
   relation `alias`, where more than one is read. #}
{% macro chart_position_columns(alias='') -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- for column in [
        'chart', 'scope', 'period', 'issue_date', 'position', 'rank', 'entity_id',
        'entity_name', 'artist_id', 'artist_name', 'scrobbles', 'scrobbles_flagged',
        'scrobbles_counted', 'listeners', 'listeners_counted', 'minutes',
        'minutes_counted', 'share_pct', 'lead_over_2_pct'
    ] -%}
        {{ prefix ~ column }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
