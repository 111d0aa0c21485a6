-- One row per artist and tag that last.fm lists for the artist.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_tags') }}

),

listed as (

    {{ last_artist_answers('answered', 'tag_id', ['tag_name', 'tag_count']) }}

),

final as (

    select
        artist_id,
        tag_id,
        tag_name,
        least(greatest(coalesce(tag_count, 0), 0), 100) as weight,
        cast(
            row_number() over (
                partition by artist_id
                order by coalesce(tag_count, 0) desc, position, tag_id
            ) as integer
        ) as rank,
        as_of_date

    from listed

)

select * from final
