-- Which artists belong to a tag?
select
    artist_tags.tag_name,
    artists.artist_name,
    artist_tags.weight,
    artists.scrobbles

from {{ ref('artist_tags') }} as artist_tags

inner join {{ ref('dim_artists') }} as artists
    on artist_tags.artist_id = artists.artist_id

where artist_tags.weight >= 50

order by
    artist_tags.tag_name,
    artist_tags.weight desc nulls last,
    artists.artist_id asc

limit 50
