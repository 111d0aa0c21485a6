{# Returns a query: one row per entity that can stand on a chart of the panel, with the
   name to print; artist_id and artist_name are null for tags and listeners. #}
{% macro entity_names() -%}
    select
        cast('artist' as {{ type_string() }}) as entity_type,
        artist_id as entity_id,
        artist_name as entity_name,
        artist_id,
        artist_name
    from {{ ref('int_artists') }}
    union all
    select
        'track',
        track_id,
        track_name,
        artist_id,
        artist_name
    from {{ ref('int_tracks') }}
    union all
    select
        'album',
        album_id,
        album_name,
        artist_id,
        artist_name
    from {{ ref('int_albums') }}
    union all
    select
        'tag',
        tag_id,
        tag_name,
        cast(null as {{ type_string() }}),
        cast(null as {{ type_string() }})
    from {{ ref('int_tags') }}
    union all
    select
        'listener',
        listener_id,
        listener_name,
        cast(null as {{ type_string() }}),
        cast(null as {{ type_string() }})
    from {{ ref('int_listeners') }}
{%- endmacro %}
