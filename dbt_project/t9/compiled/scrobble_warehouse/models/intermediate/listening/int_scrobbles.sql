-- One row per scrobble: a listener, a second, an artist's and a track's name.

with

answered as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

),

imported as (

    select * from "new"."intermediate"."int_imported_plays"

),

walks as (

    select * from "new"."intermediate"."int_walked_days"

),

lengths as (

    select * from "new"."intermediate"."int_track_lengths"

),

ranked as (

    select
        scrobble_id,
        listener_id,
        artist_id,
        track_id,
        album_id,
        scrobbled_uts,
        scrobbled_at,
        scrobbled_date,
        load_id,
        fetched_at,
        row_number() over answers_of_play as recency,
        first_value(album_id) over answers_of_play as latest_album_id

    from answered

    window answers_of_play as (
        partition by scrobble_id
        order by fetched_at desc, load_id desc, call_id desc, item_index desc
    )

),

-- The last answer wins: listeners edit the albums of old scrobbles.
latest as (

    select * from ranked

    where recency = 1

),

-- Another album was answered before: the play is as it is only since then.
edits as (

    select
        scrobble_id,
        min(recency) as recency

    from ranked

    where album_id is distinct from latest_album_id

    group by scrobble_id

),

since as (

    select
        ranked.scrobble_id,
        min(ranked.load_id) as load_id

    from ranked

    left join edits on ranked.scrobble_id = edits.scrobble_id

    where edits.recency is null or ranked.recency < edits.recency

    group by ranked.scrobble_id

),

-- A later walk over its second did not bring it: the listener has deleted it. A walk's
-- own ends do not count, since last.fm asks for what lies after and before them.
gone as (

    select latest.scrobble_id

    from latest

    inner join walks
        on
            latest.listener_id = walks.listener_id
            and latest.scrobbled_uts > walks.walk_from_uts
            and latest.scrobbled_uts < walks.walk_to_uts
            and latest.fetched_at < walks.first_fetched_at

    where walks.walked_date is null

    union

    select latest.scrobble_id

    from latest

    inner join walks
        on
            latest.listener_id = walks.listener_id
            and latest.scrobbled_date = walks.walked_date
            and latest.scrobbled_uts > walks.walk_from_uts
            and latest.scrobbled_uts < walks.walk_to_uts
            and latest.fetched_at < walks.first_fetched_at

),

plays as (

    select
        latest.scrobble_id,
        latest.listener_id,
        latest.artist_id,
        latest.track_id,
        latest.album_id,
        latest.scrobbled_at,
        latest.scrobbled_date,
        false as is_imported,
        since.load_id

    from latest

    inner join since on latest.scrobble_id = since.scrobble_id

    left join gone on latest.scrobble_id = gone.scrobble_id

    where gone.scrobble_id is null

    union all

    select
        scrobble_id,
        listener_id,
        artist_id,
        track_id,
        album_id,
        scrobbled_at,
        scrobbled_date,
        true as is_imported,
        load_id

    from imported

),

final as (

    select
        plays.scrobble_id,
        plays.listener_id,
        plays.artist_id,
        plays.track_id,
        plays.album_id,
        plays.scrobbled_at,
        plays.scrobbled_date,
        lengths.duration_seconds,
        plays.is_imported,
        plays.load_id

    from plays

    -- A length learnt after the play came does not count for it.
    left join lengths
        on
            plays.track_id = lengths.track_id
            and plays.load_id >= lengths.load_id

)

select * from final order by listener_id, scrobbled_at