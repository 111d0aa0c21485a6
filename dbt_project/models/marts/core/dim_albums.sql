-- One row per album that was ever answered.
with

albums as (

    select * from {{ ref('int_albums') }}

),

album_tracks as (

    select * from {{ ref('stg_lastfm__album_tracks') }}

),

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

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
        album_id,
        cast(count(*) as bigint) as scrobbles

    from scrobbles

    where album_id is not null

    group by album_id

),

final as (

    select
        albums.album_id,
        albums.album_name,
        albums.name_key,
        albums.artist_id,
        albums.artist_name,
        albums.album_mbid,
        listed.tracks,
        coalesce(heard.scrobbles, 0) as scrobbles

    from albums

    left join listed
        on albums.album_id = listed.album_id and listed.recency = 1

    left join heard on albums.album_id = heard.album_id

)

select * from final
