-- What is listened to most in a range?
select
    period_start,
    place,
    entity_name,
    scrobbles_counted,
    listeners_counted,
    share_pct

from {{ ref('top_charts') }}

where entity_type = 'artist' and period = 'month' and place <= 5

order by period_start desc, place asc
