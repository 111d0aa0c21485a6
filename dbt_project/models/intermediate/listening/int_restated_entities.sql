-- One row per entity whose name or main tags are others than in the build before.
--
-- The name of an artist, album, track, tag or listener, or an artist's main tags.
{{ config(materialized='noted', grain=['change', 'entity_type', 'entity_id']) }}
with

built_names as (

    select * from {{ source('built', 'int_entity_names') }}

),

built_main_tags as (

    select * from {{ source('built', 'int_artist_main_tags') }}

),

names as (

    {{ entity_names() }}

),

main_tags as (

    {{ main_tags() }}

),

renamed as (

    select
        cast('name' as text) as change,
        built_names.entity_type,
        built_names.entity_id

    from built_names

    inner join names
        on
            built_names.entity_type = names.entity_type
            and built_names.entity_id = names.entity_id

    where
        built_names.entity_name <> names.entity_name
        or built_names.artist_name is distinct from names.artist_name

),

retagged as (

    select distinct
        cast('main_tags' as text) as change,
        cast('artist' as text) as entity_type,
        coalesce(main_tags.artist_id, built_main_tags.artist_id) as entity_id

    from main_tags

    full outer join built_main_tags
        on
            main_tags.artist_id = built_main_tags.artist_id
            and main_tags.tag_id = built_main_tags.tag_id

    where main_tags.artist_id is null or built_main_tags.artist_id is null

),

final as (

    select
        change,
        entity_type,
        entity_id

    from renamed

    union all

    select
        change,
        entity_type,
        entity_id

    from retagged

)

select * from final
