-- One row per album that was ever answered.
with

albums as (

    select * from "new"."intermediate"."int_albums"

),

covers as (

    select * from "new"."intermediate"."int_album_covers"

),

album_tracks as (

    select * from "new"."staging"."stg_lastfm__album_tracks"

),

years as (

    select * from "new"."intermediate"."int_listener_years"

    where entity_type = 'album'

),

-- Tracks as the last answer about the album lists them.
listed as (

    select
        album_id,
        call_id,
        cast(count(distinct track_id) as bigint) as tracks,
        row_number() over (
            partition by album_id
            order by max(as_of_date) desc, max(fetched_at) desc, call_id
        ) as recency

    from album_tracks

    group by album_id, call_id

),

heard as (

    select
        entity_id as album_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted

    from years

    group by entity_id

),

final as (

    select
        albums.album_id,
        albums.album_name,
        albums.name_key,
        albums.artist_id,
        albums.artist_name,
        albums.album_mbid,
        covers.cover_id,
        listed.tracks,
        coalesce(heard.scrobbles, 0) as scrobbles,
        coalesce(heard.scrobbles_counted, 0) as scrobbles_counted

    from albums

    left join covers on albums.album_id = covers.album_id

    left join listed
        on albums.album_id = listed.album_id and listed.recency = 1

    left join heard on albums.album_id = heard.album_id

)

select * from final