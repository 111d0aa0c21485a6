-- One row per artist and track in last.fm's list of the artist's most played.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_tracks') }}

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
        answered.track_id,
        answered.track_name,
        answered.playcount,
        answered.listeners,
        answered.position,
        answered.as_of_date,
        row_number() over (
            partition by answered.artist_id, answered.track_id
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
                partition by artist_id order by position, track_id
            ) as integer
        ) as rank,
        track_id,
        track_name as name,
        playcount,
        listeners,
        as_of_date

    from listed

    where repetition = 1

)

select * from final
