-- One row per play that imported files tell of, however many of them do.
--
-- With the seconds between which it can have begun: [from_uts, to_uts].
with

plays as (

    select * from "new"."staging"."stg_imports__plays"

),

-- The same row in two files. Of a minute's plays, what was heard tells them apart.
told as (

    select
        *,
        row_number() over (
            partition by
                listener_id,
                match_key,
                stamp,
                stamped_uts,
                copy,
                case when stamp = 'end minute' then played_ms end
            order by load_id, call_id, item_index
        ) as telling

    from plays

),

whole_ends as (

    select distinct
        listener_id,
        match_key,
        stamped_uts - stamped_uts % 60 as stamped_uts,
        played_ms

    from told

    where stamp = 'end'

),

-- Spotify's short history is the extended one, cut to the minute.
once as (

    select * from told

    where
        telling = 1
        and not (
            stamp = 'end minute'
            and exists (
                select 1 from whole_ends
                where
                    whole_ends.listener_id = told.listener_id
                    and whole_ends.match_key = told.match_key
                    and whole_ends.stamped_uts = told.stamped_uts
                    and whole_ends.played_ms = told.played_ms
            )
        )

),

final as (

    select
        md5(listener_id || chr(31) || match_key || chr(31) || stamp || chr(31) || cast(stamped_uts as TEXT) || chr(31) || cast(copy as TEXT) || chr(31) || cast(coalesce(played_ms, 0) as TEXT)) as import_id,
        scrobble_id,
        match_key,
        listener_id,
        artist_id,
        track_id,
        album_id,
        artist_name,
        track_name,
        album_name,
        stamp,
        copy,
        -- Repeats of a minute get seconds of their own.
        started_uts
        + case when stamp = 'minute' then copy - 1 else 0 end as started_uts,
        case
            when stamp in ('end', 'end minute')
                then
                    least(stamped_uts - cast(played_ms / 1000 as bigint), started_uts)
                    - 90
            else stamped_uts
        end as from_uts,
        stamped_uts
        + case when stamp in ('minute', 'end minute') then 59 else 0 end as to_uts,
        load_id,
        fetched_at

    from once

)

select * from final