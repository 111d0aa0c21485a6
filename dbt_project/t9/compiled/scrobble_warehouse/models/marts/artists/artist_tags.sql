-- One row per artist and tag that last.fm lists for the artist.
-- A view of int_artist_tags; a table would hold them twice.

with

artist_tags as (

    select * from "new"."intermediate"."int_artist_tags"

),

final as (

    select
        artist_id,
        tag_id,
        tag_name,
        weight,
        rank,
        as_of_date

    from artist_tags

)

select * from final