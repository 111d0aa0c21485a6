-- One row per artist and artist that last.fm calls similar.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_similar') }}

),

listed as (

    {{
        last_artist_answers(
            'answered', 'similar_artist_id', ['similar_artist_name', 'match']
        )
    }}

),

final as (

    select
        artist_id,
        similar_artist_id,
        similar_artist_name,
        match,
        cast(
            row_number() over (
                partition by artist_id order by position, similar_artist_id
            ) as integer
        ) as rank,
        as_of_date

    from listed

    where similar_artist_id <> artist_id

)

select * from final
