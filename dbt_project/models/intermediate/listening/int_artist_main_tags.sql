-- One row per artist and tag under which the artist's scrobbles count.
--
-- A scrobble counts for the artist's main tags: at most three, each with at least half
-- the weight of the artist's first. The one definition of listening by tag.
-- depends_on: {{ ref('int_restated_entities') }}
with

final as (

    {{ main_tags() }}

)

select * from final
