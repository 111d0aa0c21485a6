-- One row per tag in an artist.getTopTags answer.
with

source as (

    select * from {{ source('lastfm', 'artist_top_tags') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id as artist_id,
        {{ hashed_key(['tag_names.name_key']) }} as tag_id,
        source.position,
        {{ shown_name('source.artist_name', 'artist_names.name_key') }} as artist_name,
        {{ shown_name('source.tag_name', 'tag_names.name_key') }} as tag_name,
        source.tag_count,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as tag_names on source.tag_name = tag_names.name

)

select * from final
