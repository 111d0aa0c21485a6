-- One row per track whose length is known.
with

track_infos as (

    select * from {{ ref('stg_lastfm__track_infos') }}

),

album_tracks as (

    select * from {{ ref('stg_lastfm__album_tracks') }}

),

-- What last.fm says of the track itself comes before what an album's list says.
answered as (

    select
        track_id,
        duration_seconds,
        1 as preference,
        fetched_at,
        load_id,
        call_id,
        item_index

    from track_infos

    union all

    select
        track_id,
        duration_seconds,
        2 as preference,
        fetched_at,
        load_id,
        call_id,
        item_index

    from album_tracks

),

ranked as (

    select
        track_id,
        duration_seconds,
        row_number() over (
            partition by track_id
            order by
                preference,
                fetched_at desc,
                load_id desc,
                call_id desc,
                item_index desc
        ) as recency

    from answered

    where duration_seconds > 0

),

final as (

    select
        track_id,
        duration_seconds

    from ranked

    where recency = 1 and track_id is not null

)

select * from final
