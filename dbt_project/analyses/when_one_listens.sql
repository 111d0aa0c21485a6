-- When do I listen, by my own clock?
-- By a clock that is two hours before UTC; the route knows the zones' own changes.
select
    listener_id,
    cast(
        extract(hour from scrobbled_at + interval '2 hours') as integer
    ) as local_hour,
    cast(count(*) as bigint) as scrobbles

from {{ ref('fct_scrobbles') }}

group by
    listener_id,
    cast(extract(hour from scrobbled_at + interval '2 hours') as integer)

order by listener_id, local_hour
