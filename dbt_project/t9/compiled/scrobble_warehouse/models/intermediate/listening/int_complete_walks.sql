-- One row per walk through a listener's recent tracks that brought all there was.
with

walks as (

    select * from "new"."staging"."stg_lastfm__scrobble_walks"

),

walk_pages as (

    select * from "new"."staging"."stg_lastfm__scrobble_walk_pages"

),

dead_letters as (

    select * from "new"."staging"."stg_ledger__dead_letters"

),

decisions as (

    select * from "new"."staging"."stg_ledger__dead_letter_decisions"

),

replayed as (

    select
        dead_letter_id,
        load_id

    from decisions

    where decision = 'replayed'

),

-- A walk is complete only since the last of its dead letters was replayed.
replays as (

    select
        walk_pages.walk_id,
        max(replayed.load_id) as load_id

    from walk_pages

    inner join dead_letters on walk_pages.call_id = dead_letters.call_id

    inner join replayed on dead_letters.dead_letter_id = replayed.dead_letter_id

    group by walk_pages.walk_id

),

-- A row that did not fit is no sign that the listener deleted the scrobble.
walks_with_dead_letters as (

    select distinct walk_pages.walk_id

    from walk_pages

    inner join dead_letters on walk_pages.call_id = dead_letters.call_id

    left join replayed on dead_letters.dead_letter_id = replayed.dead_letter_id

    where replayed.dead_letter_id is null

),

final as (

    select
        walks.walk_id,
        walks.listener_id,
        greatest(walks.load_id, replays.load_id) as load_id,
        walks.walk_from_uts,
        walks.walk_to_uts,
        walks.first_fetched_at

    from walks

    left join replays on walks.walk_id = replays.walk_id

    left join walks_with_dead_letters
        on walks.walk_id = walks_with_dead_letters.walk_id

    where walks.is_complete and walks_with_dead_letters.walk_id is null

)

select * from final