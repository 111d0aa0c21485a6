-- One row per artist and track in last.fm's list of the artist's most played.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_tracks') }}

),

listed as (

    {{
        last_artist_answers(
            'answered', 'track_id', ['track_name', 'playcount', 'listeners']
        )
    }}

),

final as (

    select
        artist_id,
        cast(
            row_number() over (
                partition by artist_id order by position, track_id
            ) as integer
        ) as rank,
        track_id,
        track_name as name,
        playcount,
        listeners,
        as_of_date

    from listed

)

select * from final
