-- Answers whose items are not all rows or dead letters.
select
    call_id,
    attempt,
    items,
    loaded,
    dead

from "new"."staging"."stg_lastfm__answers"

where
    load_id > 0
    and items <> loaded + dead