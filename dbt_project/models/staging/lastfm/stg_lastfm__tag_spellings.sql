-- One row per spelling of a tag.
{#- A table, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['tag_name'],
        on_schema_change='fail',
    )
}}
{%- set tables = [
    ('chart_top_tags', true, ["tag_name"]),
    ('artist_top_tags', false, ["tag_name"]),
    ('album_tags', false, ["tag_name"]),
    ('track_tags', false, ["tag_name"]),
    ('tag_top_artists', false, ["tag_name"]),
    ('tag_top_tracks', false, ["tag_name"]),
    ('user_top_tags', false, ["tag_name"]),
    ('user_personal_tags', false, ["tag_name"]),
] %}
{{ spellings(tables, ['tag_name']) }}
