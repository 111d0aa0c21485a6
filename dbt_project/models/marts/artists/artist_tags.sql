-- One row per artist and tag that last.fm lists for the artist.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_tags') }}

),

-- The last answer that named anything has the say.
calls as (

    select
        artist_id,
        call_id,
        row_number() over (
            partition by artist_id
            order by max(as_of_date) desc, max(fetched_at) desc, call_id desc
        ) as recency

    from answered

    group by artist_id, call_id

),

listed as (

    select
        answered.artist_id,
        answered.tag_id,
        answered.tag_name,
        answered.tag_count,
        answered.position,
        answered.as_of_date,
        row_number() over (
            partition by answered.artist_id, answered.tag_id
            order by answered.position, answered.item_index
        ) as repetition

    from answered

    inner join calls
        on
            answered.artist_id = calls.artist_id
            and answered.call_id = calls.call_id

    where calls.recency = 1

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

    where repetition = 1

)

select * from final
