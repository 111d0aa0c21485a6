-- Whose tastes are alike?
select
    listener_id,
    neighbour_id,
    affinity,
    shared_artists

from {{ ref('listener_neighbours') }}

where listener_id < neighbour_id

order by affinity desc, listener_id asc, neighbour_id asc

limit 10
