-- One row per imported start of a play that no answer and no better file tells of.
--
-- The order decides: last.fm's answers (deleted plays too: who deleted a play at last.fm
-- does not want it back), then files of the second, then files of the minute.
with

imports as (

    select * from {{ ref('int_import_rows') }}

),

answered as (

    select distinct
        listener_id,
        match_key,
        scrobbled_uts

    from {{ ref('stg_lastfm__scrobbles') }}

    where listener_id in (select imports.listener_id from imports)

),

-- The same second.
new_seconds as (

    select imports.*

    from imports

    left join answered
        on
            imports.listener_id = answered.listener_id
            and imports.match_key = answered.match_key
            and imports.started_uts = answered.scrobbled_uts

    where imports.stamp = 'second' and answered.listener_id is null

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

    select imports.*

    from imports

    left join minutes
        on
            imports.listener_id = minutes.listener_id
            and imports.match_key = minutes.match_key
            and imports.from_uts = minutes.minute_uts

    where imports.stamp = 'minute' and imports.copy > coalesce(minutes.plays, 0)

),

final as (

    select * from new_seconds

    union all

    select * from new_minutes

)

select * from final
