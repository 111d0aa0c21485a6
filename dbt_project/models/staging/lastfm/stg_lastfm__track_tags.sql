-- One row per tag of a track.getInfo answer.
with

source as (

    select * from {{ source('lastfm', 'track_tags') }}

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
                'track_names.name_key',
            ])
        }} as track_id,
        {{ hashed_key(['tag_names.name_key']) }} as tag_id,
        source.position,
        source.artist_name,
        source.track_name,
        source.tag_name,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

    left join names as tag_names on source.tag_name = tag_names.name

)

select * from final
