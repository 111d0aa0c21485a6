-- One row per history, thing, item and stretch of days for which last.fm answered it.
with

 __dbt__cte__int_items_answered as (
-- One row per history, thing, item and UTC day of an answer of last.fm.
  -- a step of int_stretches, its only reader
with

top_tags as (

    select * from "new"."staging"."stg_lastfm__artist_top_tags" 

),

similar_artists as (

    select * from "new"."staging"."stg_lastfm__artist_similar" 

),

top_tracks as (

    select * from "new"."staging"."stg_lastfm__artist_top_tracks" 

),

top_albums as (

    select * from "new"."staging"."stg_lastfm__artist_top_albums" 

),

artist_infos as (

    select * from "new"."staging"."stg_lastfm__artist_infos" 

),

track_infos as (

    select * from "new"."staging"."stg_lastfm__track_infos" 

),

-- Lists of artists, in the order of the marts of today.
listed as (

    select
        'tags' as history,
        artist_id as subject_id,
        tag_id as item_id,
        coalesce(tag_count, 0) as weight,
        position,
        item_index,
        cast(least(greatest(coalesce(tag_count, 0), 0), 100) as double precision) as score,
        as_of_date,
        fetched_at,
        call_id

    from top_tags
    union all

    select
        'similar' as history,
        artist_id as subject_id,
        similar_artist_id as item_id,
        0 as weight,
        position,
        item_index,
        cast(match as double precision) as score,
        as_of_date,
        fetched_at,
        call_id

    from similar_artists
    union all

    select
        'tracks' as history,
        artist_id as subject_id,
        track_id as item_id,
        0 as weight,
        position,
        item_index,
        cast(playcount as double precision) as score,
        as_of_date,
        fetched_at,
        call_id

    from top_tracks
    union all

    select
        'albums' as history,
        artist_id as subject_id,
        album_id as item_id,
        0 as weight,
        position,
        item_index,
        cast(playcount as double precision) as score,
        as_of_date,
        fetched_at,
        call_id

    from top_albums
    

),

last_calls as (

    select
        history,
        subject_id,
        as_of_date,
        call_id

    from (
        select
            *,
            row_number() over (
                partition by history, subject_id, as_of_date
                order by fetched_at desc, call_id desc
            ) as recency
        from listed
    ) as calls

    where recency = 1

),

-- What an answer lists twice counts once, at its better place.
listed_once as (

    select *

    from (
        select
            listed.*,
            row_number() over (
                partition by
                    listed.history,
                    listed.subject_id,
                    listed.as_of_date,
                    listed.item_id
                order by listed.position, listed.item_index
            ) as mention
        from listed
        inner join last_calls
            on
                listed.history = last_calls.history
                and listed.subject_id = last_calls.subject_id
                and listed.as_of_date = last_calls.as_of_date
                and listed.call_id = last_calls.call_id
        where listed.history <> 'similar' or listed.item_id <> listed.subject_id
    ) as mentions

    where mention = 1

),

-- Of several answers about a thing the first choice counts.
named as (

    select
        'artist_mbid' as history,
        artist_id as subject_id,
        artist_mbid as item_id,
        case when is_artist_alias then 1 else 0 end as choice,
        playcount,
        as_of_date,
        fetched_at

    from artist_infos
    union all

    select
        'album_mbid' as history,
        album_id as subject_id,
        album_mbid as item_id,
        0 as choice,
        playcount,
        as_of_date,
        fetched_at

    from top_albums
    union all

    select
        'track_mbid' as history,
        track_id as subject_id,
        track_mbid as item_id,
        0 as choice,
        playcount,
        as_of_date,
        fetched_at

    from top_tracks
    union all

    select
        'track_mbid' as history,
        track_id as subject_id,
        track_mbid as item_id,
        1 as choice,
        playcount,
        as_of_date,
        fetched_at

    from track_infos
    

),

chosen as (

    select
        history,
        subject_id,
        item_id,
        as_of_date

    from (
        select
            *,
            row_number() over (
                partition by history, subject_id, as_of_date
                order by
                    choice,
                    playcount desc nulls last,
                    fetched_at desc,
                    md5(item_id)
            ) as place
        from named
        where item_id is not null
    ) as choices

    where place = 1

),

final as (

    select
        history,
        subject_id,
        item_id,
        as_of_date,
        cast(
            row_number() over (
                partition by history, subject_id, as_of_date
                order by weight desc, position, item_id
            ) as integer
        ) as rank,
        score

    from listed_once

    union all

    select
        history,
        subject_id,
        item_id,
        as_of_date,
        1 as rank,
        cast(null as double precision) as score

    from chosen

)

select * from final
), answered as (

    select * from __dbt__cte__int_items_answered

),

answered_days as (

    select distinct
        history,
        subject_id,
        as_of_date

    from answered

),

days as (

    select
        history,
        subject_id,
        as_of_date,
        row_number() over (
            partition by history, subject_id order by as_of_date
        ) as nth

    from answered_days

),

-- What held before the first of these days is answered on day 0.
items as (

    select
        answered.history,
        answered.subject_id,
        answered.item_id,
        answered.rank,
        answered.score,
        answered.as_of_date as from_date,
        cast(null as date) as kept_to_date,
        days.nth

    from answered

    inner join days
        on
            answered.history = days.history
            and answered.subject_id = days.subject_id
            and answered.as_of_date = days.as_of_date

),

-- Plays change every day: they alone begin no stretch.
compared as (

    select
        history,
        subject_id,
        item_id,
        rank,
        score,
        from_date,
        kept_to_date,
        nth,
        case
            when
                lag(nth) over item_days = nth - 1
                and lag(rank) over item_days = rank
                and (
                    history in ('tracks', 'albums')
                    or lag(score) over item_days is not distinct from score
                )
                then 0
            else 1
        end as begins

    from items

    window item_days as (partition by history, subject_id, item_id order by nth)

),

counted as (

    select
        history,
        subject_id,
        item_id,
        rank,
        score,
        from_date,
        kept_to_date,
        nth,
        begins,
        sum(begins) over (
            partition by history, subject_id, item_id order by nth
        ) as stretch

    from compared

),

stretches as (

    select
        history,
        subject_id,
        item_id,
        max(rank) as rank,
        max(score) filter (where begins = 1) as score,
        min(from_date) as valid_from_date,
        max(kept_to_date) as kept_to_date,
        min(nth) = 0 as is_kept,
        max(nth) as last_nth

    from counted

    group by history, subject_id, item_id, stretch

),

final as (

    select
        stretches.history,
        stretches.subject_id,
        stretches.item_id,
        stretches.rank,
        stretches.score,
        stretches.valid_from_date,
        days.as_of_date as valid_to_date

    from stretches

    left join days
        on
            stretches.history = days.history
            and stretches.subject_id = days.subject_id
            and stretches.last_nth + 1 = days.nth

    where
        not stretches.is_kept
        or stretches.kept_to_date is distinct from days.as_of_date

)

select * from final