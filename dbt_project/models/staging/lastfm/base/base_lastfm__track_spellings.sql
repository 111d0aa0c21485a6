-- One row per spelling of a track, its artist and mbid given with it.
{#- Incremental, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'track_name', 'track_mbid'],
        on_schema_change='fail',
    )
}}
{{ spellings('track', ['artist_name', 'track_name', 'track_mbid']) }}
