-- One row per spelling of an album, its artist and mbid given with it, with its key.
with

spellings as (

    select * from {{ ref('base_lastfm__album_spellings') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        {{
            hashed_key([
                'artist_names.artist_key',
                'album_names.name_key',
            ])
        }} as album_id,
        artist_names.artist_id,
        album_names.name_key,
        spellings.artist_name,
        {{ shown_name('spellings.album_name', 'album_names.name_key') }} as album_name,
        spellings.album_mbid,
        spellings.first_seen_date,
        spellings.last_seen_date,
        spellings.is_official,
        spellings.largest_playcount,
        artist_names.is_artist_alias

    from spellings

    left join names as artist_names on spellings.artist_name = artist_names.name

    left join names as album_names on spellings.album_name = album_names.name

)

select * from final
