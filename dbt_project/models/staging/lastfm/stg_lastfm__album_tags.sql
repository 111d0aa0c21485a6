-- One row per tag of an album.getInfo answer.
with

source as (

    select * from {{ source('lastfm', 'album_tags') }}

),

names as (

    select * from {{ ref('int_names') }}

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
        {{ hashed_key(['tag_names.name_key']) }} as tag_id,
        source.position,
        source.artist_name,
        source.album_name,
        source.tag_name,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as album_names on source.album_name = album_names.name

    left join names as tag_names on source.tag_name = tag_names.name

)

select * from final
