-- How much is listened to, by how many?
select
    period_start,
    scrobbles,
    listeners,
    artists,
    tracks,
    round(cast(listening_seconds / 3600.0 as numeric(18, 4)), 1) as hours

from {{ ref('totals') }}

where period = 'month'

order by period_start
