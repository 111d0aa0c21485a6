-- One row per artist in an artist.getSimilar answer.
with

source as (

    select * from "new"."raw"."lastfm__artist_similar"

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
        similar_artist_names.artist_id as similar_artist_id,
        source.position,
        source.artist_name,
        source.similar_artist_name,
        nullif(source.similar_artist_mbid, '') as similar_artist_mbid,
        source.match,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as similar_artist_names
        on source.similar_artist_name = similar_artist_names.name

)

select * from final