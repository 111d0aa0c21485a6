{# Returns, for each kind of thing, the raw tables where its names stand: source,
   table, columns (expressions in the order of the spellings' columns), is_official and
   playcount (last.fm's plays of the thing, null where it does not say). Written by
   `make sources` from ingest/lastfm/spellings.py; change it there. Exists because dbt
   has to know while it parses which sources a model reads. #}
{% macro lastfm_spellings() %}
{{ return({
    'artist': [
        {'source': 'lastfm', 'table': 'chart_top_artists',
         'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'chart_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'geo_top_artists',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'geo_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'tag_top_artists',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'tag_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_infos',
         'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'artist_infos',
         'is_official': false, 'columns': [
            "requested_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_top_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_similar',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_similar',
         'is_official': false, 'columns': [
            "similar_artist_name",
            "coalesce(similar_artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_top_albums',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_corrections',
         'is_official': true, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_corrections',
         'is_official': false, 'columns': [
            "requested_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_infos',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tracks',
         'is_official': false, 'columns': [
            "track_artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'track_infos',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'track_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_recent_tracks',
         'is_official': false, 'columns': [
            "case when not is_now_playing then artist_name end",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_artists',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_albums',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_loved_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "coalesce(artist_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_personal_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_personal_tags',
         'is_official': false, 'columns': [
            "case when tagging_type = 'artist' then item_name end",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'imports', 'table': 'plays',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'corrections', 'table': 'artists',
         'is_official': false, 'columns': [
            "artist_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'corrections', 'table': 'artists',
         'is_official': false, 'columns': [
            "requested_name",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
    ],
    'album': [
        {'source': 'lastfm', 'table': 'artist_top_albums',
         'is_official': true, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'album_infos',
         'is_official': true, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'album_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'track_infos',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_recent_tracks',
         'is_official': false, 'columns': [
            "case when not is_now_playing then artist_name end",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_albums',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "coalesce(album_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_personal_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "case when tagging_type = 'album' then item_name end",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'imports', 'table': 'plays',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(album_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
    ],
    'track': [
        {'source': 'lastfm', 'table': 'chart_top_tracks',
         'is_official': true, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'geo_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'tag_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tracks',
         'is_official': false, 'columns': [
            "coalesce(track_artist_name, artist_name)",
            "nullif(track_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'track_infos',
         'is_official': true, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'playcount'},
        {'source': 'lastfm', 'table': 'track_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_recent_tracks',
         'is_official': false, 'columns': [
            "case when not is_now_playing then artist_name end",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_loved_tracks',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "coalesce(track_mbid, '')",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_personal_tags',
         'is_official': false, 'columns': [
            "artist_name",
            "case when tagging_type = 'track' then item_name end",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'imports', 'table': 'plays',
         'is_official': false, 'columns': [
            "artist_name",
            "nullif(track_name, '')",
            "''",
        ], 'playcount': 'cast(null as bigint)'},
    ],
    'tag': [
        {'source': 'lastfm', 'table': 'chart_top_tags',
         'is_official': true, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'tag_top_artists',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'tag_top_tracks',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'artist_top_tags',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'album_tags',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'track_tags',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_top_tags',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
        {'source': 'lastfm', 'table': 'user_personal_tags',
         'is_official': false, 'columns': [
            "tag_name",
        ], 'playcount': 'cast(null as bigint)'},
    ],
}) }}
{% endmacro %}
