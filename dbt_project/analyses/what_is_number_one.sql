-- What is number one, what is new, what climbs?
select
    positions.rank,
    positions.entity_name,
    positions.movement,
    positions.previous_rank,
    positions.scrobbles_counted

from {{ ref('fct_chart_positions') }} as positions

where
    positions.chart = 'panel_artists'
    and positions.period = 'week'
    and positions.issue_date = (
        select max(newest.issue_date)
        from {{ ref('fct_chart_positions') }} as newest
        where newest.chart = 'panel_artists' and newest.period = 'week'
    )

order by positions.position

limit 10
