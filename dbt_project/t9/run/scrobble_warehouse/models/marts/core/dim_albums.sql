drop table if exists "new"."marts"."dim_albums" cascade;

    
      
    

    create  table
      "new"."marts"."dim_albums"
  
  (
    album_id text not null,
    album_name text not null,
    name_key text not null,
    artist_id text not null,
    artist_name text not null,
    album_mbid text,
    cover_id text,
    tracks bigint,
    scrobbles bigint not null,
    scrobbles_counted bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."dim_albums" 
  (
    
      
      
      album_id ,
    
      
      
      album_name ,
    
      
      
      name_key ,
    
      
      
      artist_id ,
    
      
      
      artist_name ,
    
      
      
      album_mbid ,
    
      
      
      cover_id ,
    
      
      
      tracks ,
    
      
      
      scrobbles ,
    
      
      
      scrobbles_counted 
    
  )
 (
      
    select album_id, album_name, name_key, artist_id, artist_name, album_mbid, cover_id, tracks, scrobbles, scrobbles_counted
    from (
        -- One row per album that was ever answered.
with

albums as (

    select * from "new"."intermediate"."int_albums"

),

covers as (

    select * from "new"."intermediate"."int_album_covers"

),

album_tracks as (

    select * from "new"."staging"."stg_lastfm__album_tracks"

),

years as (

    select * from "new"."intermediate"."int_listener_years"

    where entity_type = 'album'

),

-- Tracks as the last answer about the album lists them.
listed as (

    select
        album_id,
        call_id,
        cast(count(distinct track_id) as bigint) as tracks,
        row_number() over (
            partition by album_id
            order by max(as_of_date) desc, max(fetched_at) desc, call_id
        ) as recency

    from album_tracks

    group by album_id, call_id

),

heard as (

    select
        entity_id as album_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted

    from years

    group by entity_id

),

final as (

    select
        albums.album_id,
        albums.album_name,
        albums.name_key,
        albums.artist_id,
        albums.artist_name,
        albums.album_mbid,
        covers.cover_id,
        listed.tracks,
        coalesce(heard.scrobbles, 0) as scrobbles,
        coalesce(heard.scrobbles_counted, 0) as scrobbles_counted

    from albums

    left join covers on albums.album_id = covers.album_id

    left join listed
        on albums.album_id = listed.album_id and listed.recency = 1

    left join heard on albums.album_id = heard.album_id

)

select * from final
    ) as model_subq
    );
  