-- How fresh is all this?
select
    source,
    last_as_of_date,
    last_fetched_at,
    rows,
    dead_letters

from {{ ref('freshness') }}

order by last_as_of_date nulls first, source
