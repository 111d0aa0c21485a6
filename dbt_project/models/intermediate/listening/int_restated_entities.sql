-- One row per entity whose name or main tags are others than in the build before.
--
-- The name of an artist, album, track, tag or listener, or an artist's main tags.
-- Rows stay until `built_through` moves on, as in int_touched_days. Empty in a full
-- build.
-- depends_on: {{ ref('artist_tags') }}
-- depends_on: {{ ref('dim_artists') }}
-- depends_on: {{ ref('dim_albums') }}
-- depends_on: {{ ref('dim_tracks') }}
-- depends_on: {{ ref('dim_tags') }}
-- depends_on: {{ ref('dim_listeners') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_before_insert(
            'built_through <> ' ~ built_through()
        ) }}"
    )
}}

{% if is_partial_build() %}

with

built_names as (

    select * from {{ built_relation('int_entity_names') }}

),

built_main_tags as (

    select * from {{ built_relation('int_artist_main_tags') }}

),

artist_tags as (

    select * from {{ ref('artist_tags') }}

),

names as (

    {{ entity_names() }}

),

main_tags as (

    select
        artist_id,
        tag_id

    from artist_tags

    where
        rank <= {{ var('main_tags', 3) }}
        and weight >= {{ var('main_tag_weight', 50) }}

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

restated as (

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

),

final as (

    select
        cast({{ built_through() }} as bigint) as built_through,
        restated.change,
        restated.entity_type,
        restated.entity_id

    from restated

    left join {{ this }} as known
        on
            restated.change = known.change
            and restated.entity_type = known.entity_type
            and restated.entity_id = known.entity_id

    where known.entity_id is null

)

select * from final

{% else %}

select
    cast(null as bigint) as built_through,
    cast(null as text) as change,
    cast(null as text) as entity_type,
    cast(null as text) as entity_id

where 1 = 0

{% endif %}
