-- One row per artist and album in last.fm's list of the artist's most played.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_albums') }}

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
        answered.album_id,
        answered.album_name,
        answered.playcount,
        answered.position,
        answered.as_of_date,
        row_number() over (
            partition by answered.artist_id, answered.album_id
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
        cast(
            row_number() over (
                partition by artist_id order by position, album_id
            ) as integer
        ) as rank,
        album_id,
        album_name as name,
        playcount,
        as_of_date

    from listed

    where repetition = 1

)

select * from final
