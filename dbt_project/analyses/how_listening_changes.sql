-- How does listening change by week and year?
select
    period,
    period_start,
    scrobbles_clean,
    previous_year_scrobbles_clean,
    change_clean_pct

from {{ ref('listener_trends') }}

where listener_id = '' and period in ('week', 'year')

order by period, period_start
