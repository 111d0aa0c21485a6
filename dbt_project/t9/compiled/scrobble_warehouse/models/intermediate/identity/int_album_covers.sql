-- One row per album of which last.fm ever showed a cover, with the newest.
with

infos as (

    select * from "new"."staging"."stg_lastfm__album_infos"

    where cover_id is not null

),

top_albums as (

    select * from "new"."staging"."stg_lastfm__artist_top_albums"

    where cover_id is not null

),

answered as (

    select
        album_id,
        cover_id,
        as_of_date,
        fetched_at

    from infos

    union all

    select
        album_id,
        cover_id,
        as_of_date,
        fetched_at

    from top_albums

),

ranked as (

    select
        album_id,
        cover_id,
        row_number() over (
            partition by album_id
            order by as_of_date desc, fetched_at desc, md5(cover_id)
        ) as recency

    from answered

),

final as (

    select
        album_id,
        cover_id

    from ranked

    where recency = 1

)

select * from final