-- One row per artist and album in last.fm's list of the artist's most played.
with

answered as (

    select * from "new"."staging"."stg_lastfm__artist_top_albums"

),

listed as (

    select
        artist_id,
        album_id,
        album_name,
        playcount,
        position,
        as_of_date

    from (
        select
            last_answers.*,
            row_number() over (
                partition by artist_id, album_id order by position, item_index
            ) as mention

        from (
            select
                answered.*,
                -- One place for all rows of an answer.
                rank() over (
                    partition by artist_id
                    order by as_of_date desc, fetched_at desc, call_id desc
                ) as recency

            from answered as answered
        ) as last_answers

        where recency = 1
    ) as mentions

    where mention = 1

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

)

select * from final