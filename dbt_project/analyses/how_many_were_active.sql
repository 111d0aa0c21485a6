-- How many were active in any window, exactly?
select
    week_start,
    cast(count(distinct listener_id) as bigint) as listeners,
    cast(count(distinct artist_id) as bigint) as artists,
    cast(sum(scrobbles) as bigint) as scrobbles

from {{ ref('artist_listener_weeks') }}

group by week_start

order by week_start
