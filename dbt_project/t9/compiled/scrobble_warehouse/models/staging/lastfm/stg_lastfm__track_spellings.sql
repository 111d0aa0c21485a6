-- One row per spelling of a track, its artist and mbid given with it, with its key.
with

spellings as (

    select * from "new"."staging"."base_lastfm__track_spellings"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        artist_names.artist_id,
        track_names.name_key,
        spellings.artist_name,
        case when track_names.name_key like '(blank name U+%' then track_names.name_key else spellings.track_name end as track_name,
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