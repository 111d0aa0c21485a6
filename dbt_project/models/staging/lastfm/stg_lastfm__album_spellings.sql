-- One row per spelling of an album, its artist and mbid given with it.
{#- A table, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'album_name', 'album_mbid'],
        on_schema_change='fail',
    )
}}
{%- set tables = [
    ('album_infos', true, ["artist_name", "album_name", "coalesce(album_mbid, '')"]),
    (
        'artist_top_albums',
        true,
        [
            "artist_name",
            "album_name",
            "coalesce(album_mbid, '')",
        ],
    ),
    (
        'user_recent_tracks',
        false,
        [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ],
    ),
    ('track_infos', false, ["artist_name", "nullif(album_name, '')", "''"]),
    (
        'user_top_albums',
        false,
        [
            "artist_name",
            "album_name",
            "coalesce(album_mbid, '')",
        ],
    ),
    ('user_weekly_albums', false, ["artist_name", "album_name", "coalesce(mbid, '')"]),
    (
        'user_personal_tags',
        false,
        [
            "artist_name",
            "case when tagging_type = 'album' then item_name end",
            "''",
        ],
    ),
] %}
{{ spellings(tables, ['artist_name', 'album_name', 'album_mbid']) }}
