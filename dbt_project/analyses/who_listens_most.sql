-- Who listens most?
select
    listeners.listener_name,
    cast(sum(listener_days.scrobbles) as bigint) as scrobbles,
    cast(count(*) as bigint) as active_days

from {{ ref('fct_listener_days') }} as listener_days

inner join {{ ref('dim_listeners') }} as listeners
    on listener_days.listener_id = listeners.listener_id

where not listener_days.is_flagged

group by listeners.listener_id, listeners.listener_name

order by scrobbles desc, listeners.listener_id asc

limit 10
