-- One row per artist and UTC day on which last.fm's counters were answered.

with

infos as (

    select * from "new"."staging"."stg_lastfm__artist_infos"

),

chart as (

    select * from "new"."staging"."stg_lastfm__chart_top_artists"

),

answered as (

    select
        artist_id,
        artist_name,
        is_artist_alias,
        touched_load_id,
        0 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from infos

    where artist_id is not null

    union all

    select
        artist_id,
        artist_name,
        is_artist_alias,
        touched_load_id,
        1 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from chart

    where artist_id is not null

),

-- A day is touched by a new answer and by an artist who got another identity; all days
-- from there on are made anew.
touched as (

    select min(as_of_date) as first_date

    from answered
    

),

-- Two spellings of one key can be two pages with counters of their own, whichever
-- stands first in an answer: the page with most listeners is the artist's. As the
-- larger of two growing counters it never jumps.
pages as (

    select
        answered.artist_id,
        answered.is_artist_alias,
        answered.touched_load_id,
        answered.kind,
        answered.as_of_date,
        answered.fetched_at,
        answered.load_id,
        answered.call_id,
        answered.item_index,
        answered.listeners,
        answered.playcount,
        max(answered.listeners) over (
            partition by
                answered.artist_id,
                answered.as_of_date,
                answered.is_artist_alias,
                answered.artist_name
        ) as page_listeners

    from answered

    inner join touched on answered.as_of_date >= touched.first_date

),

-- The artist's own counters before those of a name that is corrected to it.
ranked as (

    select
        artist_id,
        as_of_date as snapshot_date,
        fetched_at as observed_at,
        listeners,
        playcount,
        max(touched_load_id) over (
            partition by artist_id, as_of_date
        ) as touched_load_id,
        row_number() over (
            partition by artist_id, as_of_date
            order by
                is_artist_alias,
                page_listeners desc,
                kind,
                fetched_at desc,
                load_id desc,
                listeners desc,
                playcount desc,
                call_id,
                item_index
        ) as choice

    from pages

),

-- A day asked for on a later one is back-filled: its time of day says nothing.
final as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        cast(observed_at as date) = snapshot_date as is_live,
        listeners,
        playcount,
        touched_load_id

    from ranked

    where choice = 1

)

select * from final