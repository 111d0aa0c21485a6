-- One row per tag in a listener's top tags.
with

source as (

    select * from {{ source('lastfm', 'user_top_tags') }}

),

names as (

    select * from {{ ref('int_names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        lower(source.listener_name) as listener_id,
        {{ hashed_key(['tag_names.name_key']) }} as tag_id,
        source.listener_name,
        source.position,
        source.tag_name,
        source.tag_count,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as tag_names on source.tag_name = tag_names.name

)

select * from final
