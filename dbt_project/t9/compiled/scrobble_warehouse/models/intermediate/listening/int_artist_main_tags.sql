-- One row per artist and tag under which the artist's scrobbles count.
--
-- A scrobble counts for the artist's main tags: at most three, each with at least half
-- the weight of the artist's first. The one definition of listening by tag.
-- depends_on: "new"."intermediate"."int_restated_entities"
with

final as (

    select
        artist_id,
        tag_id
    from "new"."intermediate"."int_artist_tags"
    where
        rank <= 3
        and weight >= 50

)

select * from final