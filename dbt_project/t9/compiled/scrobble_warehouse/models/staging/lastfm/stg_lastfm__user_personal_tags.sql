-- One row per thing a listener has given a tag.
with

source as (

    select * from "new"."raw"."lastfm__user_personal_tags"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        listener_names.name_key as listener_id,
        md5(tag_names.name_key) as tag_id,
        case
            when source.tagging_type = 'artist' then item_names.artist_id
            else md5(artist_names.artist_key || chr(31) || item_names.name_key)
        end as item_id,
        source.listener_name,
        source.tag_name,
        source.tagging_type,
        source.item_name,
        source.artist_name,
        nullif(source.mbid, '') as mbid,
        source.tagged_uts,
        case
        when source.tagged_uts between 1 and 4102444799
            then make_timestamp(source.tagged_uts * 1000000)
    end as tagged_at,
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