-- One row per entity with another name, tags or artist than in the build before.
--
-- The name of an artist, album, track, tag or listener, an artist's main tags, or an
-- artist who was one of its own.

with

built_names as (

    select * from "new"."intermediate"."int_entity_names"

),

built_main_tags as (

    select * from "new"."intermediate"."int_artist_main_tags"

),

names as (

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

),

main_tags as (

    select
        artist_id,
        tag_id
    from "new"."intermediate"."int_artist_tags"
    where
        rank <= 3
        and weight >= 50

),

built_tag_names as (

    select
        built_main_tags.artist_id,
        string_agg( tags.entity_name, ', ' order by tags.entity_id) as tag_names

    from built_main_tags

    inner join built_names as tags
        on tags.entity_type = 'tag' and built_main_tags.tag_id = tags.entity_id

    group by built_main_tags.artist_id

),

renamed as (

    select
        cast('name' as TEXT) as change,
        built_names.entity_type,
        built_names.entity_id,
        built_names.entity_name as old_value

    from built_names

    inner join names
        on
            built_names.entity_type = names.entity_type
            and built_names.entity_id = names.entity_id

    where
        built_names.entity_name <> names.entity_name
        or built_names.artist_name is distinct from names.artist_name

),

retagged_artists as (

    select distinct
        coalesce(main_tags.artist_id, built_main_tags.artist_id) as artist_id

    from main_tags

    full outer join built_main_tags
        on
            main_tags.artist_id = built_main_tags.artist_id
            and main_tags.tag_id = built_main_tags.tag_id

    where main_tags.artist_id is null or built_main_tags.artist_id is null

),

retagged as (

    select
        cast('main_tags' as TEXT) as change,
        cast('artist' as TEXT) as entity_type,
        retagged_artists.artist_id as entity_id,
        built_tag_names.tag_names as old_value

    from retagged_artists

    left join built_tag_names on retagged_artists.artist_id = built_tag_names.artist_id

),

merged as (

    select
        cast('merged' as TEXT) as change,
        built_names.entity_type,
        built_names.entity_id,
        built_names.entity_name as old_value

    from built_names

    inner join "new"."staging"."stg_lastfm__artist_aliases" as aliases
        on built_names.entity_id = aliases.alias_artist_id

    where built_names.entity_type = 'artist' and aliases.is_alias

),

final as (

    select
        change,
        entity_type,
        entity_id,
        old_value

    from renamed

    union all

    select
        change,
        entity_type,
        entity_id,
        old_value

    from retagged

    union all

    select
        change,
        entity_type,
        entity_id,
        old_value

    from merged

)

select * from final