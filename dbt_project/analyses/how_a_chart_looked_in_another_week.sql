-- How did one chart look in another week?
select
    positions.issue_date,
    positions.rank,
    positions.entity_name,
    positions.artist_name,
    positions.scrobbles_counted

from {{ ref('fct_chart_positions') }} as positions

where
    positions.chart = 'panel_tracks'
    and positions.period = 'week'
    and positions.rank <= 3

order by positions.issue_date, positions.position
