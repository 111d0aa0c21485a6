-- One row per listener and UTC day on which the new loads change a play.
--
-- By content: a play that is delivered again as it was touches nothing.

with

new_plays as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

    where load_id > 0

),

walks as (

    select * from "new"."intermediate"."int_complete_walks"

    where load_id > 0

),

-- As the build before left it.
built as (

    select * from "new"."intermediate"."int_scrobbles"

),

ranked as (

    select
        scrobble_id,
        listener_id,
        scrobbled_date,
        album_id,
        fetched_at,
        row_number() over (
            partition by scrobble_id
            order by fetched_at desc, load_id desc, call_id desc, item_index desc
        ) as recency

    from new_plays

),

latest as (

    select * from ranked

    where recency = 1

),

-- Files may tell more, or last.fm what they told: whole, as it is found by content.
imported as (

    select * from "new"."intermediate"."int_imported_plays"

),

reimported as (

    select
        coalesce(imported.listener_id, was_imported.listener_id) as listener_id,
        coalesce(imported.scrobbled_date, was_imported.scrobbled_date)
            as scrobbled_date

    from imported

    full outer join (
        select * from built where is_imported
    ) as was_imported
        on imported.scrobble_id = was_imported.scrobble_id

    where
        imported.scrobble_id is null
        or was_imported.scrobble_id is null
        or imported.artist_id <> was_imported.artist_id
        or imported.album_id is distinct from was_imported.album_id

),

changed as (

    select
        latest.listener_id,
        latest.scrobbled_date

    from latest

    left join built on latest.scrobble_id = built.scrobble_id

    where
        built.scrobble_id is null
        or latest.album_id is distinct from built.album_id

),

-- A complete walk over its second did not bring the play, nor did an answer since.
gone as (

    select
        built.listener_id,
        built.scrobbled_date

    from built

    inner join walks
        on
            built.listener_id = walks.listener_id
            -- A walk from second 0 has no start: from_uts(0) is null.
            and coalesce(
                built.scrobbled_at > case
        when walks.walk_from_uts between 1 and 4102444799
            then make_timestamp(walks.walk_from_uts * 1000000)
    end, true
            )
            and built.scrobbled_at < case
        when walks.walk_to_uts between 1 and 4102444799
            then make_timestamp(walks.walk_to_uts * 1000000)
    end

    left join latest
        on
            built.scrobble_id = latest.scrobble_id
            and walks.first_fetched_at <= latest.fetched_at

    where latest.scrobble_id is null and not built.is_imported

),


final as (

    select
        listener_id,
        scrobbled_date

    from changed

    union

    select
        listener_id,
        scrobbled_date

    from gone

    union

    select
        listener_id,
        scrobbled_date

    from reimported

    

)

select * from final