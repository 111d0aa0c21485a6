drop table if exists "new"."intermediate"."int_imported_starts" cascade;

    

    create  table
      "new"."intermediate"."int_imported_starts"
  
    
    as (
      -- One row per imported start of a play that no answer and no better file tells of.
--
-- The order decides: last.fm's answers (deleted plays too: who deleted a play there
-- does not want it back), then files of the second, then files of the minute.
with

imports as (

    select * from "new"."intermediate"."int_import_rows"

),

answered as (

    select distinct
        listener_id,
        match_key,
        scrobbled_uts

    from "new"."staging"."stg_lastfm__scrobbles"

    where listener_id in (select imports.listener_id from imports)

),

-- The same second.
new_seconds as (

    select * from imports

    where
        stamp = 'second'
        and not exists (
            select 1 from answered
            where
                answered.listener_id = imports.listener_id
                and answered.match_key = imports.match_key
                and answered.scrobbled_uts = imports.started_uts
        )

),

seconds as (

    select
        listener_id,
        match_key,
        scrobbled_uts as played_uts

    from answered

    union all

    select
        listener_id,
        match_key,
        started_uts as played_uts

    from new_seconds

),

minutes as (

    select
        listener_id,
        match_key,
        played_uts - played_uts % 60 as minute_uts,
        count(*) as plays

    from seconds

    group by listener_id, match_key, played_uts - played_uts % 60

),

-- The same minute, one to one: the third of two plays is another.
new_minutes as (

    select * from imports

    where
        stamp = 'minute'
        and not exists (
            select 1 from minutes
            where
                minutes.listener_id = imports.listener_id
                and minutes.match_key = imports.match_key
                and minutes.minute_uts = imports.from_uts
                and minutes.plays >= imports.copy
        )

),

final as (

    select * from new_seconds

    union all

    select * from new_minutes

)

select * from final
    );
    
  