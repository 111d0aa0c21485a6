-- One row per spelling of an artist and mbid given with it, with the artist's key.
with

spellings as (

    select * from "new"."staging"."base_lastfm__artist_spellings"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        names.artist_id,
        names.name_key,
        case when names.name_key like '(blank name U+%' then names.name_key else spellings.artist_name end as artist_name,
        spellings.artist_mbid,
        spellings.first_seen_date,
        spellings.last_seen_date,
        spellings.is_official,
        spellings.largest_playcount,
        names.is_artist_alias

    from spellings

    left join names on spellings.artist_name = names.name

)

select * from final