-- One row per artist and final day whose counters were published otherwise, or not.
--
-- A step of int_new_restatements.

with

infos as (

    select * from "new"."staging"."stg_lastfm__artist_infos"

    where not is_artist_alias

),

new_answers as (

    select
        infos.artist_id,
        infos.as_of_date,
        infos.listeners,
        infos.playcount,
        row_number() over (
            partition by infos.artist_id, infos.as_of_date
            order by
                infos.load_id desc,
                infos.fetched_at desc,
                infos.call_id desc,
                infos.item_index desc
        ) as recency

    from infos

    where
        not true
        and false

),

old_answers as (

    select
        infos.artist_id,
        infos.as_of_date,
        infos.listeners,
        infos.playcount,
        row_number() over (
            partition by infos.artist_id, infos.as_of_date
            order by
                infos.load_id desc,
                infos.fetched_at desc,
                infos.call_id desc,
                infos.item_index desc
        ) as recency

    from infos

    where
        true
        and (infos.artist_id, infos.as_of_date) in (
            select
                new_answers.artist_id,
                new_answers.as_of_date
            from new_answers
        )

),

final as (

    select
        new_answers.artist_id,
        new_answers.as_of_date as restated_date,
        old_answers.listeners as old_listeners,
        old_answers.playcount as old_playcount,
        new_answers.listeners as new_listeners,
        new_answers.playcount as new_playcount

    from new_answers

    left join old_answers
        on
            new_answers.artist_id = old_answers.artist_id
            and new_answers.as_of_date = old_answers.as_of_date
            and old_answers.recency = 1

    where
        new_answers.recency = 1
        and (
            old_answers.listeners is distinct from new_answers.listeners
            or old_answers.playcount is distinct from new_answers.playcount
        )

)

select * from final