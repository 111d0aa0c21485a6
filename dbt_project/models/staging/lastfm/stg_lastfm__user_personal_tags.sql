-- One row per thing a listener has given a tag.
with

source as (

    select * from {{ source('lastfm', 'user_personal_tags') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        listener_names.name_key as listener_id,
        {{ hashed_key(['tag_names.name_key']) }} as tag_id,
        case
            when source.tagging_type = 'artist' then item_names.artist_id
            else {{ hashed_key(['artist_names.artist_key', 'item_names.name_key']) }}
        end as item_id,
        source.listener_name,
        source.tag_name,
        source.tagging_type,
        source.item_name,
        source.artist_name,
        nullif(source.mbid, '') as mbid,
        source.tagged_uts,
        {{ from_uts('source.tagged_uts') }} as tagged_at,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as listener_names
        on source.listener_name = listener_names.name

    left join names as tag_names on source.tag_name = tag_names.name

    left join names as item_names on source.item_name = item_names.name

    left join names as artist_names on source.artist_name = artist_names.name

)

select * from final
