-- One row per spelling of a track, its artist and mbid given with it, with its key.
with

spellings as (

    select * from {{ ref('base_lastfm__track_spellings') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        {{
            hashed_key([
                'artist_names.artist_key',
                'track_names.name_key',
            ])
        }} as track_id,
        artist_names.artist_id,
        track_names.name_key,
        spellings.artist_name,
        {{ shown_name('spellings.track_name', 'track_names.name_key') }} as track_name,
        spellings.track_mbid,
        spellings.first_seen_date,
        spellings.last_seen_date,
        spellings.is_official,
        spellings.largest_playcount,
        artist_names.is_artist_alias

    from spellings

    left join names as artist_names on spellings.artist_name = artist_names.name

    left join names as track_names on spellings.track_name = track_names.name

)

select * from final
