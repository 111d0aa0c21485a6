-- One row per album in an artist.getTopAlbums answer.
with

source as (

    select * from {{ source('lastfm', 'artist_top_albums') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id,
        {{
            hashed_key([
                'artist_names.artist_key',
                'album_names.name_key',
            ])
        }} as album_id,
        source.position,
        {{ shown_name('source.artist_name', 'artist_names.name_key') }} as artist_name,
        {{ shown_name('source.album_name', 'album_names.name_key') }} as album_name,
        nullif(source.album_mbid, '') as album_mbid,
        source.playcount,
        source.cover_id,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as album_names on source.album_name = album_names.name

)

select * from final
