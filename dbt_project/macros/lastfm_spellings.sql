{# Returns, for each kind of thing, the raw tables where its names stand: table, columns
   (expressions in the order of the spellings' columns) and is_official. Written by
   `make sources` from ingest/lastfm/spellings.py; change it there. Exists because dbt
   has to know while it parses which sources a model reads. #}
{% macro lastfm_spellings() %}
{{ return({
    'artist': [
        {'table': 'chart_top_artists', 'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'chart_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'geo_top_artists', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'geo_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'tag_top_artists', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'tag_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'artist_infos', 'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'artist_infos', 'is_official': false, 'columns': [
            "requested_name",
            "''",
        ]},
        {'table': 'artist_top_tags', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'artist_similar', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'artist_similar', 'is_official': false, 'columns': [
            "similar_artist_name",
            "coalesce(similar_artist_mbid, '')",
        ]},
        {'table': 'artist_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'artist_top_albums', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'artist_corrections', 'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'artist_corrections', 'is_official': false, 'columns': [
            "requested_name",
            "''",
        ]},
        {'table': 'album_infos', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'album_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'album_tracks', 'is_official': false, 'columns': [
            "track_artist_name",
            "''",
        ]},
        {'table': 'album_tags', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'track_infos', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'track_tags', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'user_recent_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'user_top_artists', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'user_top_albums', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'user_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'user_loved_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ]},
        {'table': 'user_personal_tags', 'is_official': false, 'columns': [
            "artist_name",
            "''",
        ]},
        {'table': 'user_personal_tags', 'is_official': false, 'columns': [
            "case when tagging_type = 'artist' then item_name end",
            "''",
        ]},
    ],
    'album': [
        {'table': 'artist_top_albums', 'is_official': true, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ]},
        {'table': 'album_infos', 'is_official': true, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ]},
        {'table': 'album_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ]},
        {'table': 'album_tags', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ]},
        {'table': 'track_infos', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ]},
        {'table': 'user_recent_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ]},
        {'table': 'user_top_albums', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ]},
        {'table': 'user_personal_tags', 'is_official': false, 'columns': [
            "artist_name",
            "case when tagging_type = 'album' then item_name end",
            "''",
        ]},
    ],
    'track': [
        {'table': 'chart_top_tracks', 'is_official': true, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'geo_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'tag_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'artist_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'album_tracks', 'is_official': false, 'columns': [
            "coalesce(track_artist_name, artist_name)",
            "nullif(track_name, '')",
            "''",
        ]},
        {'table': 'track_infos', 'is_official': true, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'track_tags', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "''",
        ]},
        {'table': 'user_recent_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'user_top_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'user_loved_tracks', 'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ]},
        {'table': 'user_personal_tags', 'is_official': false, 'columns': [
            "artist_name",
            "case when tagging_type = 'track' then item_name end",
            "''",
        ]},
    ],
    'tag': [
        {'table': 'chart_top_tags', 'is_official': true, 'columns': [
            "tag_name",
        ]},
        {'table': 'tag_top_artists', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'tag_top_tracks', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'artist_top_tags', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'album_tags', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'track_tags', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'user_top_tags', 'is_official': false, 'columns': [
            "tag_name",
        ]},
        {'table': 'user_personal_tags', 'is_official': false, 'columns': [
            "tag_name",
        ]},
    ],
}) }}
{% endmacro %}
