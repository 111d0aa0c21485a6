-- One row per artist and tag under which the artist's scrobbles count.
--
-- A scrobble counts for the artist's main tags: at most three, each with at least half
-- the weight of the artist's first. The one definition of listening by tag.
-- depends_on: {{ ref('int_restated_entities') }}
with

artist_tags as (

    select * from {{ ref('artist_tags') }}

),

final as (

    select
        artist_id,
        tag_id

    from artist_tags

    where
        rank <= {{ var('main_tags', 3) }}
        and weight >= {{ var('main_tag_weight', 50) }}

)

select * from final
