-- What is an artist worth, and is it rising?
select
    artists.artist_name,
    artist_values.fundamental_price,
    artist_values.growth_label,
    artist_values.is_rising

from {{ ref('fct_artist_values') }} as artist_values

inner join {{ ref('dim_artists') }} as artists
    on artist_values.artist_id = artists.artist_id

where
    artist_values.value_date = (
        select max(newest.value_date) from {{ ref('fct_artist_values') }} as newest
    )

order by artist_values.score desc nulls last, artists.artist_id asc

limit 5
