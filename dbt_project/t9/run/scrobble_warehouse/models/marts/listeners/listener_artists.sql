drop table if exists "new"."marts"."listener_artists" cascade;

    
      
    

    create  table
      "new"."marts"."listener_artists"
  
  (
    listener_id text not null,
    artist_id text not null,
    scrobbles bigint not null,
    listening_seconds bigint not null,
    first_scrobbled_at timestamp not null,
    last_scrobbled_at timestamp not null
    
    )
 ;
    
    
    insert into "new"."marts"."listener_artists" 
  (
    
      
      
      listener_id ,
    
      
      
      artist_id ,
    
      
      
      scrobbles ,
    
      
      
      listening_seconds ,
    
      
      
      first_scrobbled_at ,
    
      
      
      last_scrobbled_at 
    
  )
 (
      
    select listener_id, artist_id, scrobbles, listening_seconds, first_scrobbled_at, last_scrobbled_at
    from (
        -- One row per listener and artist with at least one scrobble.

with

weeks as (

    select * from "new"."marts"."artist_listener_weeks"

),

final as (

    select
        listener_id,
        artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds,
        min(first_scrobbled_at) as first_scrobbled_at,
        max(last_scrobbled_at) as last_scrobbled_at

    from weeks

    group by listener_id, artist_id

)

select * from final
    ) as model_subq
    );
  