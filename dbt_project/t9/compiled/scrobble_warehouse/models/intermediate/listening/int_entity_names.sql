-- One row per entity that can stand on a chart of the panel, with the name to print.
-- depends_on: "new"."intermediate"."int_restated_entities"
with

final as (

    select
        cast('artist' as TEXT) as entity_type,
        artist_id as entity_id,
        artist_name as entity_name,
        artist_id,
        artist_name
    from "new"."intermediate"."int_artists"
    union all
    select
        'track',
        track_id,
        track_name,
        artist_id,
        artist_name
    from "new"."intermediate"."int_tracks"
    union all
    select
        'album',
        album_id,
        album_name,
        artist_id,
        artist_name
    from "new"."intermediate"."int_albums"
    union all
    select
        'tag',
        tag_id,
        tag_name,
        cast(null as TEXT),
        cast(null as TEXT)
    from "new"."intermediate"."int_tags"
    union all
    select
        'listener',
        listener_id,
        listener_name,
        cast(null as TEXT),
        cast(null as TEXT)
    from "new"."intermediate"."int_listeners"

)

select * from final