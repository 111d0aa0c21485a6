-- Answers whose items are not all rows or dead letters.
select
    call_id,
    attempt,
    items,
    loaded,
    dead

from {{ ref('stg_lastfm__answers') }}

where
    load_id > {{ built_through() }}
    and items <> loaded + dead
