-- What should I hear next, and why?
select
    listener_id,
    rank,
    artist_name,
    score,
    reason

from {{ ref('recommended_artists') }}

where rank <= 3

order by listener_id, rank
