-- Spellings without a row in base_lastfm__names: their rows would have no key.
select artist_name as name

from "new"."staging"."stg_lastfm__artist_spellings"

where artist_id is null

union all

select track_name as name

from "new"."staging"."stg_lastfm__track_spellings"

where track_id is null

union all

select album_name as name

from "new"."staging"."stg_lastfm__album_spellings"

where album_id is null

union all

select tag_name as name

from "new"."staging"."stg_lastfm__tag_spellings"

where tag_id is null