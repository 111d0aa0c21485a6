-- One row per answered chart, day and position, of the days the new loads hold.
-- depends_on: {{ ref('stg_lastfm__artist_aliases') }}
-- depends_on: {{ ref('stg_lastfm__answers') }}
{% set size = 2 * var('chart_size') %}
with

chart_top_artists as (

    select * from {{ ref('stg_lastfm__chart_top_artists') }}

),

chart_top_tracks as (

    select * from {{ ref('stg_lastfm__chart_top_tracks') }}

),

chart_top_tags as (

    select * from {{ ref('stg_lastfm__chart_top_tags') }}

),

geo_top_artists as (

    select * from {{ ref('stg_lastfm__geo_top_artists') }}

),

geo_top_tracks as (

    select * from {{ ref('stg_lastfm__geo_top_tracks') }}

),

tag_top_artists as (

    select * from {{ ref('stg_lastfm__tag_top_artists') }}

),

tag_top_tracks as (

    select * from {{ ref('stg_lastfm__tag_top_tracks') }}

),

answered as (

{% for chart, answers, scope, kind, listeners in [
    ('global_artists', 'chart_top_artists', "''", 'artist', 'listeners'),
    ('global_tracks', 'chart_top_tracks', "''", 'track', 'listeners'),
    ('global_tags', 'chart_top_tags', "''", 'tag', 'reach'),
    ('country_artists', 'geo_top_artists', 'country', 'artist', 'listeners'),
    ('country_tracks', 'geo_top_tracks', 'country', 'track', 'listeners'),
    ('tag_artists', 'tag_top_artists', 'tag_name', 'artist', 'null'),
    ('tag_tracks', 'tag_top_tracks', 'tag_name', 'track', 'null'),
] %}
    select
        cast('{{ chart }}' as {{ type_string() }}) as chart,
        cast({{ scope }} as {{ type_string() }}) as scope,
        as_of_date as issue_date,
        position,
        {{ kind }}_id as entity_id,
        {{ kind }}_name as entity_name,
        {%- for column in ['artist_id', 'artist_name'] %}
        cast(
            {{ 'null' if kind == 'tag' else column }} as {{ type_string() }}
        ) as {{ column }},
        {%- endfor %}
        cast({{ listeners }} as bigint) as listeners

    from {{ answers }}

    where position <= {{ size }} {{ and_newly_answered('as_of_date') }}

    {{ 'union all' if not loop.last }}

{% endfor %}
),

-- Pages drift while they are asked for: who stands on two has the better place.
ranked as (

    select
        chart,
        scope,
        issue_date,
        position,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        listeners,
        row_number() over (
            partition by chart, scope, issue_date, entity_id order by position
        ) as repetition

    from answered

),

final as (

    select
        chart,
        scope,
        issue_date,
        position,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        listeners

    from ranked

    where repetition = 1

)

select * from final
