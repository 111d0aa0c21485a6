-- One row per listener, day and kind of change to plays that were published otherwise.
with

 __dbt__cte__int_changed_plays as (
-- One row per play that the newest version has otherwise, or has not, or alone has.
--
-- Two states are compared, each made from the answers that were there: what the newest
-- version was built from, and what there is now. A step of int_restated_plays.

with

plays as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

),

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

answers as (

    select
        plays.scrobble_id,
        plays.listener_id,
        plays.scrobbled_uts,
        plays.scrobbled_date,
        plays.album_id,
        plays.artist_name || ' – ' || plays.track_name
        || coalesce(' (' || plays.album_name || ')', '') as title,
        plays.fetched_at,
        true as is_published,
        row_number() over (
            partition by plays.scrobble_id, true
            order by fetched_at desc, load_id desc, call_id desc, item_index desc
        ) as recency

    from plays

    where false 

),

old_answers as (

    select * from answers

    where is_published and recency = 1

),

new_answers as (

    select * from answers

    where not is_published and recency = 1

),

live as (

    select
        scrobble_id,
        listener_id,
        scrobbled_date,
        album_id

    from scrobbles

    where false 

),

walks as (

    select * from "new"."intermediate"."int_complete_walks" as walks

    where true

),

-- Deleted before already; asked only of plays that may have been.
gone_before as (

    select distinct old_answers.scrobble_id

    from old_answers

    left join live on old_answers.scrobble_id = live.scrobble_id

    left join new_answers on old_answers.scrobble_id = new_answers.scrobble_id

    inner join walks
        on
            old_answers.listener_id = walks.listener_id
            and old_answers.scrobbled_uts > walks.walk_from_uts
            and old_answers.scrobbled_uts < walks.walk_to_uts
            and old_answers.fetched_at < walks.first_fetched_at

    where live.scrobble_id is null or new_answers.scrobble_id is not null

),

old_plays as (

    select * from old_answers

    where scrobble_id not in (select gone_before.scrobble_id from gone_before)

),

came as (

    select
        new_answers.listener_id,
        new_answers.scrobbled_date,
        new_answers.scrobbled_uts,
        new_answers.title,
        row_number() over (
            partition by new_answers.listener_id, new_answers.scrobbled_uts
            order by new_answers.scrobble_id
        ) as place

    from new_answers

    inner join live on new_answers.scrobble_id = live.scrobble_id

    left join old_plays on new_answers.scrobble_id = old_plays.scrobble_id

    where old_plays.scrobble_id is null

),

went as (

    select
        listener_id,
        scrobbled_date,
        scrobbled_uts,
        title,
        row_number() over (
            partition by listener_id, scrobbled_uts order by scrobble_id
        ) as place

    from old_plays

    where scrobble_id not in (select live.scrobble_id from live)

),

-- Another title or artist in the same second is an edit, not a loss and a gain.
final as (

    select
        coalesce(came.listener_id, went.listener_id) as listener_id,
        coalesce(came.scrobbled_date, went.scrobbled_date) as scrobbled_date,
        coalesce(came.scrobbled_uts, went.scrobbled_uts) as scrobbled_uts,
        coalesce(came.place, went.place) as place,
        went.title as old_title,
        came.title as new_title,
        case
            when went.title is null then 'came_late'
            when came.title is null then 'went'
            else 'edited'
        end as subject

    from came

    full outer join went
        on
            came.listener_id = went.listener_id
            and came.scrobbled_uts = went.scrobbled_uts
            and came.place = went.place

    union all

    select
        live.listener_id,
        live.scrobbled_date,
        old_plays.scrobbled_uts,
        0 as place,
        old_plays.title as old_title,
        new_answers.title as new_title,
        'edited' as subject

    from live

    inner join old_plays on live.scrobble_id = old_plays.scrobble_id

    inner join new_answers on live.scrobble_id = new_answers.scrobble_id

    where live.album_id is distinct from old_plays.album_id

)

select * from final
), changed_plays as (

    select * from __dbt__cte__int_changed_plays

),

listener_days as (

    select * from "new"."intermediate"."int_listener_days"

),

numbered as (

    select
        listener_id,
        scrobbled_date,
        subject,
        old_title,
        new_title,
        row_number() over (
            partition by listener_id, scrobbled_date, subject
            order by scrobbled_uts, place, new_title
        ) as number

    from changed_plays

),

summed as (

    select
        listener_id,
        scrobbled_date,
        subject,
        cast(count(*) as bigint) as plays,
        max(case when number = 1 then old_title end) as first_old_title,
        max(case when number = 1 then new_title end) as first_new_title

    from numbered

    group by listener_id, scrobbled_date, subject

),

final as (

    select
        summed.listener_id,
        summed.scrobbled_date as restated_date,
        summed.subject,
        summed.plays,
        summed.first_old_title,
        summed.first_new_title,
        cast(
            coalesce(listener_days.scrobbles, 0) - sum(
                case summed.subject
                    when 'came_late' then summed.plays
                    when 'went' then -summed.plays
                    else 0
                end
            ) over (partition by summed.listener_id, summed.scrobbled_date)
            as bigint
        ) as published_plays

    from summed

    left join listener_days
        on
            summed.listener_id = listener_days.listener_id
            and summed.scrobbled_date = listener_days.scrobbled_date

)

select * from final