-- One row per tag in an artist.getTopTags answer.
with

source as (

    select * from "new"."raw"."lastfm__artist_top_tags"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id as artist_id,
        md5(tag_names.name_key) as tag_id,
        source.position,
        case when artist_names.name_key like '(blank name U+%' then artist_names.name_key else source.artist_name end as artist_name,
        case when tag_names.name_key like '(blank name U+%' then tag_names.name_key else source.tag_name end as tag_name,
        source.tag_count,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as tag_names on source.tag_name = tag_names.name

)

select * from final