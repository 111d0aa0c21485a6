-- One row per track that was ever answered.
with

spellings as (

    select * from {{ ref('stg_lastfm__track_spellings') }}

),

names as (

    select * from {{ ref('int_names') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

track_infos as (

    select * from {{ ref('stg_lastfm__track_infos') }}

),

chart_tracks as (

    select * from {{ ref('stg_lastfm__chart_top_tracks') }}

),

durations as (

    select * from {{ ref('int_track_lengths') }}

),

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

tracks_keyed as (

    select
        {{
            hashed_key([
                'artist_names.artist_key',
                'track_names.name_key',
            ])
        }} as track_id,
        artist_names.artist_id,
        artist_names.is_artist_alias,
        spellings.track_name,
        spellings.track_mbid,
        spellings.is_official,
        spellings.last_seen_date

    from spellings

    inner join names as artist_names on spellings.artist_name = artist_names.name

    inner join names as track_names on spellings.track_name = track_names.name

),

ranked_names as (

    select
        track_id,
        artist_id,
        track_name,
        row_number() over (
            partition by track_id
            order by
                is_artist_alias,
                is_official desc,
                last_seen_date desc,
                md5(track_name),
                track_mbid
        ) as choice

    from tracks_keyed

),

ranked_mbids as (

    select
        track_id,
        track_mbid,
        row_number() over (
            partition by track_id
            order by
                is_artist_alias,
                is_official desc,
                last_seen_date desc,
                md5(track_mbid),
                md5(track_name)
        ) as choice

    from tracks_keyed

    where track_mbid <> ''

),

-- The newest counters, from track.getInfo before the world chart of the same day.
answered as (

    select
        track_id,
        listeners,
        playcount,
        0 as kind,
        as_of_date,
        fetched_at,
        call_id,
        item_index

    from track_infos

    where listeners is not null

    union all

    select
        track_id,
        listeners,
        playcount,
        1 as kind,
        as_of_date,
        fetched_at,
        call_id,
        item_index

    from chart_tracks

),

ranked_counters as (

    select
        track_id,
        listeners,
        playcount,
        row_number() over (
            partition by track_id
            order by as_of_date desc, kind, fetched_at desc, call_id, item_index
        ) as recency

    from answered

),

heard as (

    select
        track_id,
        cast(count(*) as bigint) as scrobbles

    from scrobbles

    group by track_id

),

final as (

    select
        ranked_names.track_id,
        ranked_names.track_name,
        ranked_names.artist_id,
        artists.artist_name,
        ranked_mbids.track_mbid,
        durations.duration_seconds,
        ranked_counters.listeners,
        ranked_counters.playcount,
        coalesce(heard.scrobbles, 0) as scrobbles

    from ranked_names

    left join artists on ranked_names.artist_id = artists.artist_id

    left join ranked_mbids
        on ranked_names.track_id = ranked_mbids.track_id and ranked_mbids.choice = 1

    left join durations on ranked_names.track_id = durations.track_id

    left join ranked_counters
        on
            ranked_names.track_id = ranked_counters.track_id
            and ranked_counters.recency = 1

    left join heard on ranked_names.track_id = heard.track_id

    where ranked_names.choice = 1

)

select * from final
