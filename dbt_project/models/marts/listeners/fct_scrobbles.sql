-- One row per scrobble: a listener, a second, an artist's and a track's name.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['listener_id', 'scrobbled_date'],
            ['scrobbled_date'],
            ['artist_id'],
        ]),
        pre_hook="{{ delete_before_insert(
            '(listener_id, scrobbled_date) in (select listener_id, scrobbled_date from '
            ~ ref('int_touched_days') ~ ')'
        ) }}"
    )
}}

with

answered as (

    select * from {{ ref('stg_lastfm__scrobbles') }}

),

walks as (

    select * from {{ ref('int_complete_walks') }}

),

durations as (

    select * from {{ ref('int_track_durations') }}

),

in_touched_days as (

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
        row_number() over (
            partition by scrobble_id
            order by fetched_at desc, load_id desc, call_id desc, item_index desc
        ) as recency

    from answered

    where
        1 = 1
        {{ and_touched_bounds('scrobbled_uts', is_uts=true) }}
        {{ and_touched('day', 'scrobbled_date', 'listener_id') }}

),

-- The last answer has the say: albums and lengths of old scrobbles are edited.
latest as (

    select * from in_touched_days

    where recency = 1

),

-- Long walks are few and compared as they are, short ones are looked up by their days:
-- every scrobble against every daily walk of its listener would be quadratic.
long_walks as (

    select * from walks

    where walk_to_uts - walk_from_uts > {{ var('long_walk_days', 40) }} * 86400

),

short_walks as (

    select
        listener_id,
        walk_from_uts,
        walk_to_uts,
        first_fetched_at,
        cast(
            {{ each_day(
                'cast(' ~ from_uts('walk_from_uts') ~ ' as date)',
                'cast(' ~ from_uts('walk_to_uts') ~ ' as date)'
            ) }} as date
        ) as walked_date

    from walks

    where walk_to_uts - walk_from_uts <= {{ var('long_walk_days', 40) }} * 86400

),

-- A later walk over its second did not bring it: the listener has deleted it. A walk's
-- own ends do not count, since last.fm asks for what lies after and before them.
gone as (

    select latest.scrobble_id

    from latest

    inner join long_walks
        on
            latest.listener_id = long_walks.listener_id
            and latest.scrobbled_uts > long_walks.walk_from_uts
            and latest.scrobbled_uts < long_walks.walk_to_uts
            and latest.fetched_at < long_walks.first_fetched_at

    union

    select latest.scrobble_id

    from latest

    inner join short_walks
        on
            latest.listener_id = short_walks.listener_id
            and latest.scrobbled_date = short_walks.walked_date
            and latest.scrobbled_uts > short_walks.walk_from_uts
            and latest.scrobbled_uts < short_walks.walk_to_uts
            and latest.fetched_at < short_walks.first_fetched_at

),

final as (

    select
        latest.scrobble_id,
        latest.listener_id,
        latest.artist_id,
        latest.track_id,
        latest.album_id,
        latest.scrobbled_at,
        latest.scrobbled_date,
        durations.duration_seconds,
        latest.load_id

    from latest

    left join gone on latest.scrobble_id = gone.scrobble_id

    left join durations on latest.track_id = durations.track_id

    where gone.scrobble_id is null

)

select * from final
