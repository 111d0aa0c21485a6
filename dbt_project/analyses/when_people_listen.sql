-- When do people listen?
select
    weekday,
    hour,
    scrobbles_clean

from {{ ref('listener_hours') }}

where listener_id = ''

order by weekday, hour
