drop table if exists "new"."marts"."dim_tracks" cascade;

    
      
    

    create  table
      "new"."marts"."dim_tracks"
  
  (
    track_id text not null,
    track_name text not null,
    name_key text not null,
    artist_id text not null,
    artist_name text not null,
    track_mbid text,
    duration_seconds integer,
    listeners bigint,
    playcount bigint,
    scrobbles bigint not null,
    scrobbles_counted bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."dim_tracks" 
  (
    
      
      
      track_id ,
    
      
      
      track_name ,
    
      
      
      name_key ,
    
      
      
      artist_id ,
    
      
      
      artist_name ,
    
      
      
      track_mbid ,
    
      
      
      duration_seconds ,
    
      
      
      listeners ,
    
      
      
      playcount ,
    
      
      
      scrobbles ,
    
      
      
      scrobbles_counted 
    
  )
 (
      
    select track_id, track_name, name_key, artist_id, artist_name, track_mbid, duration_seconds, listeners, playcount, scrobbles, scrobbles_counted
    from (
        -- One row per track that was ever answered.
with

tracks as (

    select * from "new"."intermediate"."int_tracks"

),

track_infos as (

    select * from "new"."staging"."stg_lastfm__track_infos"

),

chart_tracks as (

    select * from "new"."staging"."stg_lastfm__chart_top_tracks"

),

durations as (

    select * from "new"."intermediate"."int_track_lengths"

),

years as (

    select * from "new"."intermediate"."int_listener_years"

    where entity_type = 'track'

),

-- The newest counters, from track.getInfo before the world chart of the same day.
answered as (

    select
        track_id,
        artist_name,
        track_name,
        listeners,
        playcount,
        0 as kind,
        as_of_date,
        fetched_at,
        call_id,
        item_index

    from track_infos

    where listeners is not null

    union all

    select
        track_id,
        artist_name,
        track_name,
        listeners,
        playcount,
        1 as kind,
        as_of_date,
        fetched_at,
        call_id,
        item_index

    from chart_tracks

),

-- Of several pages under one key the most played one, wherever it stands.
pages as (

    select
        track_id,
        listeners,
        playcount,
        kind,
        as_of_date,
        fetched_at,
        call_id,
        item_index,
        max(playcount) over (
            partition by track_id, as_of_date, artist_name, track_name
        ) as page_playcount

    from answered

),

ranked_counters as (

    select
        track_id,
        listeners,
        playcount,
        row_number() over (
            partition by track_id
            order by
                as_of_date desc,
                page_playcount desc nulls last,
                kind,
                fetched_at desc,
                call_id,
                item_index
        ) as recency

    from pages

),

heard as (

    select
        entity_id as track_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted

    from years

    group by entity_id

),

final as (

    select
        tracks.track_id,
        tracks.track_name,
        tracks.name_key,
        tracks.artist_id,
        tracks.artist_name,
        tracks.track_mbid,
        durations.duration_seconds,
        ranked_counters.listeners,
        ranked_counters.playcount,
        coalesce(heard.scrobbles, 0) as scrobbles,
        coalesce(heard.scrobbles_counted, 0) as scrobbles_counted

    from tracks

    left join durations on tracks.track_id = durations.track_id

    left join ranked_counters
        on
            tracks.track_id = ranked_counters.track_id
            and ranked_counters.recency = 1

    left join heard on tracks.track_id = heard.track_id

)

select * from final
    ) as model_subq
    );
  