drop table if exists "new"."marts"."totals" cascade;

    
      
    

    create  table
      "new"."marts"."totals"
  
  (
    period text not null,
    period_start date not null,
    period_end date not null,
    scrobbles bigint not null,
    tracks bigint not null,
    artists bigint not null,
    albums bigint not null,
    listeners bigint not null,
    listening_seconds bigint not null,
    scrobbles_without_duration bigint not null,
    scrobbles_clean bigint not null,
    tracks_clean bigint not null,
    artists_clean bigint not null,
    albums_clean bigint not null,
    listeners_clean bigint not null,
    listening_seconds_clean bigint not null,
    scrobbles_without_duration_clean bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."totals" 
  (
    
      
      
      period ,
    
      
      
      period_start ,
    
      
      
      period_end ,
    
      
      
      scrobbles ,
    
      
      
      tracks ,
    
      
      
      artists ,
    
      
      
      albums ,
    
      
      
      listeners ,
    
      
      
      listening_seconds ,
    
      
      
      scrobbles_without_duration ,
    
      
      
      scrobbles_clean ,
    
      
      
      tracks_clean ,
    
      
      
      artists_clean ,
    
      
      
      albums_clean ,
    
      
      
      listeners_clean ,
    
      
      
      listening_seconds_clean ,
    
      
      
      scrobbles_without_duration_clean 
    
  )
 (
      
    select period, period_start, period_end, scrobbles, tracks, artists, albums, listeners, listening_seconds, scrobbles_without_duration, scrobbles_clean, tracks_clean, artists_clean, albums_clean, listeners_clean, listening_seconds_clean, scrobbles_without_duration_clean
    from (
        -- One row per period with at least one scrobble of the panel.
with

listening as (

    select * from "new"."intermediate"."int_listening_periods"

),

periods as (

    select * from "new"."intermediate"."int_periods"

),

final as (

    select
        listening.period,
        listening.period_start,
        coalesce(periods.period_end, listening.last_scrobbled_date) as period_end,
        listening.scrobbles,
        listening.tracks,
        listening.artists,
        listening.albums,
        listening.listeners,
        listening.listening_seconds,
        listening.scrobbles_without_duration,
        listening.scrobbles_clean,
        listening.tracks_clean,
        listening.artists_clean,
        listening.albums_clean,
        listening.listeners_clean,
        listening.listening_seconds_clean,
        listening.scrobbles_without_duration_clean

    from listening

    inner join periods
        on
            listening.period = periods.period
            and listening.period_start = periods.period_start

    where listening.listener_id = ''

)

select * from final
    ) as model_subq
    );
  