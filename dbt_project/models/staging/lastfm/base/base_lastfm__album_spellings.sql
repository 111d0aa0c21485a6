-- One row per spelling of an album, its artist and mbid given with it.
{#- Incremental, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'album_name', 'album_mbid'],
        on_schema_change='fail',
    )
}}
{{ spellings('album', ['artist_name', 'album_name', 'album_mbid']) }}
