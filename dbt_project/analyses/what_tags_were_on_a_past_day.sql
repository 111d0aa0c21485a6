-- What were an artist's tags on a past day?
select
    artists.artist_name,
    dates.calendar_date,
    tags.tag_name,
    history.score as weight

from {{ ref('artist_list_history') }} as history

inner join {{ ref('dim_dates') }} as dates
    on
        history.valid_from_date <= dates.calendar_date
        and (
            history.valid_to_date > dates.calendar_date
            or history.valid_to_date is null
        )

inner join {{ ref('dim_artists') }} as artists
    on history.artist_id = artists.artist_id

inner join {{ ref('dim_tags') }} as tags
    on history.item_id = tags.tag_id

where
    history.list_name = 'tags'
    and history.rank <= 3
    and dates.calendar_date = (
        select max(newest.valid_from_date)
        from {{ ref('artist_list_history') }} as newest
    )

order by artists.artist_name, artists.artist_id, history.rank

limit 30
