-- One row per row of a user.getRecentTracks answer, with the reason it is no scrobble.
with

source as (

    select * from {{ source('lastfm', 'user_recent_tracks') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

walk_pages as (

    select * from {{ ref('base_lastfm__scrobble_walk_pages') }}

),

-- Whole seconds are compared, not timestamps: a nonsense time cannot overflow.
judged as (

    select
        load_id,
        call_id,
        item_index,
        listener_name,
        artist_name,
        artist_mbid,
        track_name,
        track_mbid,
        album_name,
        album_mbid,
        scrobbled_uts,
        as_of_date,
        fetched_at,
        case
            when is_now_playing then 'now playing'
            when coalesce(scrobbled_uts, 0) = 0 then 'no time'
            when
                scrobbled_uts
                < {{ to_uts(
                    "cast('" ~ var('first_scrobble_date') ~ "' as timestamp)"
                ) }}
                then 'before last.fm'
            when
                scrobbled_uts > {{ to_uts('fetched_at') }}
                + {{ var('clock_skew_seconds') }}
                then 'in the future'
        end as rejection

    from source

),

final as (

    select
        judged.load_id,
        judged.call_id,
        judged.item_index,
        walk_pages.walk_id,
        case
            when judged.rejection is null
                then
                    {{
                        hashed_key([
                            'listener_names.name_key',
                            'cast(judged.scrobbled_uts as ' ~ type_string() ~ ')',
                            'artist_names.name_key',
                            'track_names.name_key',
                        ])
                    }}
        end as scrobble_id,
        {{ match_key('artist_names.artist_key', 'track_names.name_key') }} as match_key,
        listener_names.name_key as listener_id,
        artist_names.artist_id,
        {{
            hashed_key([
                'artist_names.artist_key',
                'track_names.name_key',
            ])
        }} as track_id,
        {{
            hashed_key([
                'artist_names.artist_key',
                'album_names.name_key',
            ])
        }} as album_id,
        judged.listener_name,
        judged.artist_name,
        nullif(judged.artist_mbid, '') as artist_mbid,
        judged.track_name,
        nullif(judged.track_mbid, '') as track_mbid,
        nullif(judged.album_name, '') as album_name,
        nullif(judged.album_mbid, '') as album_mbid,
        judged.scrobbled_uts,
        case
            when judged.rejection is null
                then {{ from_uts('judged.scrobbled_uts') }}
        end as scrobbled_at,
        judged.rejection,
        judged.as_of_date,
        judged.fetched_at,
        artist_names.identity_load_id,
        greatest(judged.load_id, artist_names.identity_load_id) as touched_load_id

    from judged

    left join names as listener_names
        on judged.listener_name = listener_names.name

    left join names as artist_names on judged.artist_name = artist_names.name

    left join names as track_names on judged.track_name = track_names.name

    left join names as album_names
        on nullif(judged.album_name, '') = album_names.name

    left join walk_pages on judged.call_id = walk_pages.call_id

)

select * from final
