-- One row per track in an artist.getTopTracks answer.
with

source as (

    select * from {{ source('lastfm', 'artist_top_tracks') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id,
        {{
            hashed_key([
                'artist_names.artist_key',
                'track_names.name_key',
            ])
        }} as track_id,
        source.position,
        {{ shown_name('source.artist_name', 'artist_names.name_key') }} as artist_name,
        {{ shown_name('source.track_name', 'track_names.name_key') }} as track_name,
        nullif(source.track_mbid, '') as track_mbid,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final
