-- One row per artist and tag that last.fm lists for the artist.
with

answered as (

    select * from "new"."staging"."stg_lastfm__artist_top_tags"

),

listed as (

    select
        artist_id,
        tag_id,
        tag_name,
        tag_count,
        position,
        as_of_date

    from (
        select
            last_answers.*,
            row_number() over (
                partition by artist_id, tag_id order by position, item_index
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