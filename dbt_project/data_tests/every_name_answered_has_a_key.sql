-- Spellings without a row in int_names: their rows would have no key.
select spellings.artist_name as name

from {{ ref('stg_lastfm__artist_spellings') }} as spellings

left join {{ ref('int_names') }} as names on spellings.artist_name = names.name

where names.name is null

union all

select spellings.track_name as name

from {{ ref('stg_lastfm__track_spellings') }} as spellings

left join {{ ref('int_names') }} as names on spellings.track_name = names.name

where names.name is null

union all

select spellings.album_name as name

from {{ ref('stg_lastfm__album_spellings') }} as spellings

left join {{ ref('int_names') }} as names on spellings.album_name = names.name

where names.name is null

union all

select spellings.tag_name as name

from {{ ref('stg_lastfm__tag_spellings') }} as spellings

left join {{ ref('int_names') }} as names on spellings.tag_name = names.name

where names.name is null
