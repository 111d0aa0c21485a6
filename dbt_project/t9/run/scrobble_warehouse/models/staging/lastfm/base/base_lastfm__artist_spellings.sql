drop table if exists "new"."staging"."base_lastfm__artist_spellings" cascade;

    

    create  table
      "new"."staging"."base_lastfm__artist_spellings"
  
    
    as (
      -- One row per spelling of an artist and mbid given with it.

with

answered as (
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__chart_top_artists"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__chart_top_tracks"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__geo_top_artists"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__geo_top_tracks"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__tag_top_artists"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__tag_top_tracks"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        True as is_official,
        playcount as playcount
    from "new"."raw"."lastfm__artist_infos"
    union all
    select
        requested_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_infos"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_top_tags"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_similar"
    union all
    select
        similar_artist_name as artist_name,
        coalesce(similar_artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_similar"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_top_tracks"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_top_albums"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        True as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_corrections"
    union all
    select
        requested_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_corrections"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_infos"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tracks"
    union all
    select
        track_artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tracks"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tags"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__track_infos"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__track_tags"
    union all
    select
        case when not is_now_playing then artist_name end as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_recent_tracks"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_artists"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_albums"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_tracks"
    union all
    select
        artist_name as artist_name,
        coalesce(artist_mbid, '') as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_loved_tracks"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_personal_tags"
    union all
    select
        case when tagging_type = 'artist' then item_name end as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_personal_tags"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."imports__plays"
    union all
    select
        artist_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."corrections__artists"
    union all
    select
        requested_name as artist_name,
        '' as artist_mbid,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."corrections__artists"

),

merged as (

    select
        artist_name, artist_mbid,
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        bool_or(is_official) as is_official,
        max(playcount) as largest_playcount

    from answered

    where artist_name is not null and artist_mbid is not null

    group by artist_name, artist_mbid

),

final as (

    select
        merged.artist_name,
        merged.artist_mbid,
        merged.first_seen_date,
        merged.last_seen_date,
        merged.is_official,
        merged.largest_playcount

    from merged

)

select * from final

    );
    
  