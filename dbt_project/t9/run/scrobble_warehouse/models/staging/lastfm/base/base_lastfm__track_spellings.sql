drop table if exists "new"."staging"."base_lastfm__track_spellings" cascade;

    

    create  table
      "new"."staging"."base_lastfm__track_spellings"
  
    
    as (
      -- One row per spelling of a track, its artist and mbid given with it.

with

answered as (
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__chart_top_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__geo_top_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__tag_top_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_top_tracks"
    union all
    select
        coalesce(track_artist_name, artist_name) as artist_name,
        nullif(track_name, '') as track_name,
        '' as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__track_infos"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        '' as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__track_tags"
    union all
    select
        case when not is_now_playing then artist_name end as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_recent_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_tracks"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        coalesce(track_mbid, '') as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_loved_tracks"
    union all
    select
        artist_name as artist_name,
        case when tagging_type = 'track' then item_name end as track_name,
        '' as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_personal_tags"
    union all
    select
        artist_name as artist_name,
        nullif(track_name, '') as track_name,
        '' as track_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."imports__plays"

),

merged as (

    select
        artist_name, track_name, track_mbid,
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        bool_or(is_official) as is_official,
        max(playcount) as largest_playcount

    from answered

    where artist_name is not null and track_name is not null and track_mbid is not null

    group by artist_name, track_name, track_mbid

),

final as (

    select
        merged.artist_name,
        merged.track_name,
        merged.track_mbid,
        merged.first_seen_date,
        merged.last_seen_date,
        merged.is_official,
        merged.largest_playcount

    from merged

)

select * from final

    );
    
  