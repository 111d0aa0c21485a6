-- Which artists are alike?
select
    artists.artist_name,
    similar_artists.similar_artist_name,
    similar_artists.match

from {{ ref('artist_similar') }} as similar_artists

inner join {{ ref('dim_artists') }} as artists
    on similar_artists.artist_id = artists.artist_id

where similar_artists.rank <= 3

order by artists.scrobbles desc, artists.artist_id asc, similar_artists.rank asc

limit 30
