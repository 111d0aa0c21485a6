drop table if exists "new"."marts"."dim_listeners" cascade;

    
      
    

    create  table
      "new"."marts"."dim_listeners"
  
  (
    listener_id text not null,
    listener_name text not null,
    country text,
    country_key text,
    registered_date date,
    playcount bigint,
    scrobbles bigint not null,
    missing_scrobbles bigint,
    first_scrobbled_at timestamp,
    last_scrobbled_at timestamp,
    is_flagged boolean not null,
    flags text,
    is_complete boolean not null
    
    )
 ;
    
    
    insert into "new"."marts"."dim_listeners" 
  (
    
      
      
      listener_id ,
    
      
      
      listener_name ,
    
      
      
      country ,
    
      
      
      country_key ,
    
      
      
      registered_date ,
    
      
      
      playcount ,
    
      
      
      scrobbles ,
    
      
      
      missing_scrobbles ,
    
      
      
      first_scrobbled_at ,
    
      
      
      last_scrobbled_at ,
    
      
      
      is_flagged ,
    
      
      
      flags ,
    
      
      
      is_complete 
    
  )
 (
      
    select listener_id, listener_name, country, country_key, registered_date, playcount, scrobbles, missing_scrobbles, first_scrobbled_at, last_scrobbled_at, is_flagged, flags, is_complete
    from (
        -- One row per listener: a last.fm account that the panel follows.
with

listeners as (

    select * from "new"."intermediate"."int_listeners"

),

listener_days as (

    select * from "new"."marts"."fct_listener_days"

),

listener_flags as (

    select * from "new"."marts"."listener_flags"

),

listened as (

    select
        listener_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        min(first_scrobbled_at) as first_scrobbled_at,
        max(last_scrobbled_at) as last_scrobbled_at

    from listener_days

    group by listener_id

),

flags as (

    select
        listener_id,
        string_agg( flag, ', ' order by md5(flag)) as flags

    from listener_flags

    group by listener_id

),

final as (

    select
        listeners.listener_id,
        listeners.listener_name,
        listeners.country,
        listeners.country_key,
        listeners.registered_date,
        listeners.playcount,
        coalesce(listened.scrobbles, 0) as scrobbles,
        greatest(listeners.playcount - coalesce(listened.scrobbles, 0), 0)
            as missing_scrobbles,
        listened.first_scrobbled_at,
        listened.last_scrobbled_at,
        flags.flags is not null as is_flagged,
        flags.flags,
        listeners.is_complete

    from listeners

    left join listened on listeners.listener_id = listened.listener_id

    left join flags on listeners.listener_id = flags.listener_id

)

select * from final
    ) as model_subq
    );
  