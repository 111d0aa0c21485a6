-- One row per spelling of an album, its artist and mbid given with it, with its key.
with

spellings as (

    select * from "new"."staging"."base_lastfm__album_spellings"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        md5(artist_names.artist_key || chr(31) || album_names.name_key) as album_id,
        artist_names.artist_id,
        album_names.name_key,
        spellings.artist_name,
        case when album_names.name_key like '(blank name U+%' then album_names.name_key else spellings.album_name end as album_name,
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