-- One row per history, thing, item and UTC day of an answer of last.fm.
{{ config(materialized='ephemeral') }}  -- a step of int_stretches, its only reader
{%- set since = stretches_since() -%}
{%- set newly = "where as_of_date >= cast('" ~ since ~ "' as date)" if since else '' %}
with

top_tags as (

    select * from {{ ref('stg_lastfm__artist_top_tags') }} {{ newly }}

),

similar_artists as (

    select * from {{ ref('stg_lastfm__artist_similar') }} {{ newly }}

),

top_tracks as (

    select * from {{ ref('stg_lastfm__artist_top_tracks') }} {{ newly }}

),

top_albums as (

    select * from {{ ref('stg_lastfm__artist_top_albums') }} {{ newly }}

),

artist_infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }} {{ newly }}

),

track_infos as (

    select * from {{ ref('stg_lastfm__track_infos') }} {{ newly }}

),

-- Lists of artists, in the order of the marts of today.
listed as (
    {%- for history, answers, item_id, weight, score in [
        ('tags', 'top_tags', 'tag_id', 'coalesce(tag_count, 0)',
            'least(greatest(coalesce(tag_count, 0), 0), 100)'),
        ('similar', 'similar_artists', 'similar_artist_id', '0', 'match'),
        ('tracks', 'top_tracks', 'track_id', '0', 'playcount'),
        ('albums', 'top_albums', 'album_id', '0', 'playcount'),
    ] %}

    select
        '{{ history }}' as history,
        artist_id as subject_id,
        {{ item_id }} as item_id,
        {{ weight }} as weight,
        position,
        item_index,
        cast({{ score }} as {{ type_double() }}) as score,
        as_of_date,
        fetched_at,
        call_id

    from {{ answers }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

-- The place is the same for all rows of an answer.
last_answers as (

    select *

    from (
        select
            *,
            rank() over (
                partition by history, subject_id, as_of_date
                order by fetched_at desc, call_id desc
            ) as recency
        from listed
    ) as answers

    where recency = 1

),

-- What an answer lists twice counts once, at its better place.
listed_once as (

    select *

    from (
        select
            *,
            row_number() over (
                partition by history, subject_id, as_of_date, item_id
                order by position, item_index
            ) as mention
        from last_answers
        where history <> 'similar' or item_id <> subject_id
    ) as mentions

    where mention = 1

),

-- Of several answers about a thing the first choice counts.
named as (
    {%- for history, answers, thing, choice in [
        ('artist_mbid', 'artist_infos', 'artist',
            'case when is_artist_alias then 1 else 0 end'),
        ('album_mbid', 'top_albums', 'album', '0'),
        ('track_mbid', 'top_tracks', 'track', '0'),
        ('track_mbid', 'track_infos', 'track', '1'),
    ] %}

    select
        '{{ history }}' as history,
        {{ thing }}_id as subject_id,
        {{ thing }}_mbid as item_id,
        {{ choice }} as choice,
        playcount,
        as_of_date,
        fetched_at

    from {{ answers }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

chosen as (

    select
        history,
        subject_id,
        item_id,
        as_of_date

    from (
        select
            *,
            row_number() over (
                partition by history, subject_id, as_of_date
                order by
                    choice,
                    playcount desc nulls last,
                    fetched_at desc,
                    md5(item_id)
            ) as place
        from named
        where item_id is not null
    ) as choices

    where place = 1

),

final as (

    select
        history,
        subject_id,
        item_id,
        as_of_date,
        cast(
            row_number() over (
                partition by history, subject_id, as_of_date
                order by weight desc, position, item_id
            ) as integer
        ) as rank,
        score

    from listed_once

    union all

    select
        history,
        subject_id,
        item_id,
        as_of_date,
        1 as rank,
        cast(null as {{ type_double() }}) as score

    from chosen

)

select * from final
