-- One row per spelling of a track, its artist and mbid given with it.
{#- A table, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'track_name', 'track_mbid'],
        on_schema_change='fail',
    )
}}
{%- set tables = [
    ('track_infos', true, ["artist_name", "track_name", "coalesce(track_mbid, '')"]),
    (
        'chart_top_tracks',
        true,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'geo_top_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'tag_top_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'artist_top_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'album_tracks',
        false,
        [
            "coalesce(track_artist_name, artist_name)",
            "track_name",
            "''",
        ],
    ),
    (
        'user_recent_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'user_top_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'user_loved_tracks',
        false,
        [
            "artist_name",
            "track_name",
            "coalesce(track_mbid, '')",
        ],
    ),
    (
        'user_personal_tags',
        false,
        [
            "artist_name",
            "case when tagging_type = 'track' then item_name end",
            "''",
        ],
    ),
    ('user_weekly_tracks', false, ["artist_name", "track_name", "coalesce(mbid, '')"]),
] %}
{{ spellings(tables, ['artist_name', 'track_name', 'track_mbid']) }}
