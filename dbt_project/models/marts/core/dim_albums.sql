-- One row per album that was ever answered.
with

spellings as (

    select * from {{ ref('stg_lastfm__album_spellings') }}

),

names as (

    select * from {{ ref('int_names') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

album_tracks as (

    select * from {{ ref('stg_lastfm__album_tracks') }}

),

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

albums_keyed as (

    select
        {{
            hashed_key([
                'artist_names.artist_key',
                'album_names.name_key',
            ])
        }} as album_id,
        artist_names.artist_id,
        artist_names.is_artist_alias,
        spellings.album_name,
        spellings.album_mbid,
        spellings.is_official,
        spellings.last_seen_date

    from spellings

    inner join names as artist_names on spellings.artist_name = artist_names.name

    inner join names as album_names on spellings.album_name = album_names.name

),

ranked_names as (

    select
        album_id,
        artist_id,
        album_name,
        row_number() over (
            partition by album_id
            order by
                is_artist_alias,
                is_official desc,
                last_seen_date desc,
                md5(album_name),
                album_mbid
        ) as choice

    from albums_keyed

),

ranked_mbids as (

    select
        album_id,
        album_mbid,
        row_number() over (
            partition by album_id
            order by
                is_artist_alias,
                is_official desc,
                last_seen_date desc,
                md5(album_mbid),
                md5(album_name)
        ) as choice

    from albums_keyed

    where album_mbid <> ''

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
        ranked_names.album_id,
        ranked_names.album_name,
        ranked_names.artist_id,
        artists.artist_name,
        ranked_mbids.album_mbid,
        listed.tracks,
        coalesce(heard.scrobbles, 0) as scrobbles

    from ranked_names

    left join artists on ranked_names.artist_id = artists.artist_id

    left join ranked_mbids
        on ranked_names.album_id = ranked_mbids.album_id and ranked_mbids.choice = 1

    left join listed
        on ranked_names.album_id = listed.album_id and listed.recency = 1

    left join heard on ranked_names.album_id = heard.album_id

    where ranked_names.choice = 1

)

select * from final
