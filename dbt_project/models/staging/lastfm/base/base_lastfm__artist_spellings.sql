-- One row per spelling of an artist and mbid given with it.
{#- Incremental, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'artist_mbid'],
        on_schema_change='fail',
    )
}}
{{ spellings('artist', ['artist_name', 'artist_mbid']) }}
