{# Returns the dimensions that the keys in a column of a mart stand in: a dictionary
   from dimension to the condition on the mart's rows (true: all rows); empty for a
   column without such keys. From the column's name; a column that holds the keys of
   several dimensions, or other values beside them, stands here by mart. Null is no
   key, and neither is what a log of things past names, which may be merged since. #}
{% macro mart_keys(mart, column) %}
    {%- set of_type = {
        'dim_artists': "entity_type = 'artist'",
        'dim_albums': "entity_type = 'album'",
        'dim_tracks': "entity_type = 'track'",
        'dim_tags': "entity_type = 'tag'",
    } -%}
    {%- set of_mart = {
        'artist_list_history.item_id': {
            'dim_tags': "list_name = 'tags'",
            'dim_artists': "list_name = 'similar'",
            'dim_tracks': "list_name = 'tracks'",
            'dim_albums': "list_name = 'albums'",
        },
        'fct_chart_positions.entity_id': {
            'dim_artists': "chart like '%artists'",
            'dim_albums': "chart like '%albums'",
            'dim_tracks': "chart like '%tracks'",
            'dim_tags': "chart like '%tags'",
        },
        'chart_revisions.artist_id': {},
        'chart_revisions.entity_id': {},
        'fct_artist_prices.artist_id': {},
        'listener_hours.listener_id': {'dim_listeners': "listener_id <> ''"},
        'listener_tag_assignments.item_id': {
            'dim_artists': "tagging_type = 'artist'",
            'dim_albums': "tagging_type = 'album'",
            'dim_tracks': "tagging_type = 'track'",
        },
        'listener_top.entity_id': of_type,
        'listener_trends.listener_id': {'dim_listeners': "listener_id <> ''"},
        'mbid_history.entity_id': of_type,
        'restatements.entity_id': {},
        'top_charts.entity_id': of_type,
    } -%}
    {%- set of_name = {
        'artist_id': 'dim_artists',
        'similar_artist_id': 'dim_artists',
        'album_id': 'dim_albums',
        'track_id': 'dim_tracks',
        'tag_id': 'dim_tags',
        'listener_id': 'dim_listeners',
        'neighbour_id': 'dim_listeners',
    } -%}
    {%- set by_name = {of_name[column]: 'true'} if column in of_name else {} -%}
    {{ return(of_mart.get(mart ~ '.' ~ column, by_name)) }}
{% endmacro %}
