-- One row per spelling of an artist and mbid given with it.
{#- A table, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['artist_name', 'artist_mbid'],
        on_schema_change='fail',
    )
}}
{%- set tables = [
    ('artist_infos', true, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('artist_corrections', true, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('chart_top_artists', true, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('geo_top_artists', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('tag_top_artists', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('chart_top_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('geo_top_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('tag_top_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    (
        'artist_similar',
        false,
        [
            "similar_artist_name",
            "coalesce(similar_artist_mbid, '')",
        ],
    ),
    ('artist_similar', false, ["artist_name", "''"]),
    ('artist_top_tags', false, ["artist_name", "''"]),
    ('artist_top_tracks', false, ["artist_name", "''"]),
    ('artist_top_albums', false, ["artist_name", "''"]),
    ('album_infos', false, ["artist_name", "''"]),
    ('album_tracks', false, ["track_artist_name", "''"]),
    ('track_infos', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('user_recent_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('user_top_artists', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('user_top_albums', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('user_top_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    ('user_loved_tracks', false, ["artist_name", "coalesce(artist_mbid, '')"]),
    (
        'user_personal_tags',
        false,
        [
            "case when tagging_type = 'artist' then item_name else artist_name end",
            "''",
        ],
    ),
    ('user_weekly_artists', false, ["artist_name", "coalesce(mbid, '')"]),
    ('user_weekly_albums', false, ["artist_name", "''"]),
    ('user_weekly_tracks', false, ["artist_name", "''"]),
    ('artist_infos', false, ["requested_name", "''"]),
    ('artist_corrections', false, ["requested_name", "''"]),
] %}
{{ spellings(tables, ['artist_name', 'artist_mbid']) }}
