drop table if exists "new"."staging"."base_lastfm__album_spellings" cascade;

    

    create  table
      "new"."staging"."base_lastfm__album_spellings"
  
    
    as (
      -- One row per spelling of an album, its artist and mbid given with it.

with

answered as (
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        coalesce(album_mbid, '') as album_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__artist_top_albums"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        coalesce(album_mbid, '') as album_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__album_infos"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        '' as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        '' as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tags"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        '' as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__track_infos"
    union all
    select
        case when not is_now_playing then artist_name end as artist_name,
        nullif(album_name, '') as album_name,
        coalesce(album_mbid, '') as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_recent_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        coalesce(album_mbid, '') as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_albums"
    union all
    select
        artist_name as artist_name,
        case when tagging_type = 'album' then item_name end as album_name,
        '' as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_personal_tags"
    union all
    select
        artist_name as artist_name,
        nullif(album_name, '') as album_name,
        '' as album_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."imports__plays"

),

merged as (

    select
        artist_name, album_name, album_mbid,
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        bool_or(is_official) as is_official,
        max(playcount) as largest_playcount

    from answered

    where artist_name is not null and album_name is not null and album_mbid is not null

    group by artist_name, album_name, album_mbid

),

final as (

    select
        merged.artist_name,
        merged.album_name,
        merged.album_mbid,
        merged.first_seen_date,
        merged.last_seen_date,
        merged.is_official,
        merged.largest_playcount

    from merged

)

select * from final

    );
    
  