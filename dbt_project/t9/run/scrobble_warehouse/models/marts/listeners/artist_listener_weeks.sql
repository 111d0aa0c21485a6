drop table if exists "new"."marts"."artist_listener_weeks" cascade;

    
      
    

    create  table
      "new"."marts"."artist_listener_weeks"
  
  (
    artist_id text not null,
    listener_id text not null,
    week_start date not null,
    scrobbles bigint not null,
    listening_seconds bigint not null,
    first_scrobbled_at timestamp not null,
    last_scrobbled_at timestamp not null
    
    )
 ;
    
    
    insert into "new"."marts"."artist_listener_weeks" 
  (
    
      
      
      artist_id ,
    
      
      
      listener_id ,
    
      
      
      week_start ,
    
      
      
      scrobbles ,
    
      
      
      listening_seconds ,
    
      
      
      first_scrobbled_at ,
    
      
      
      last_scrobbled_at 
    
  )
 (
      
    select artist_id, listener_id, week_start, scrobbles, listening_seconds, first_scrobbled_at, last_scrobbled_at
    from (
        -- One row per artist, listener and week (from Monday, UTC) with at least one scrobble.

with

scrobbles as (

    select * from "new"."intermediate"."int_scrobbles"

),

final as (

    select
        artist_id,
        listener_id,
        cast(date_trunc('week', scrobbled_date) as date) as week_start,
        cast(count(*) as bigint) as scrobbles,
        cast(sum(coalesce(duration_seconds, 210)) as bigint)
            as listening_seconds,
        min(scrobbled_at) as first_scrobbled_at,
        max(scrobbled_at) as last_scrobbled_at

    from scrobbles

    group by artist_id, listener_id, cast(date_trunc('week', scrobbled_date) as date)

)

select * from final
    ) as model_subq
    );
  