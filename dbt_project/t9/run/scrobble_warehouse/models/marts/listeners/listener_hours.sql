drop table if exists "new"."marts"."listener_hours" cascade;

    
      
    

    create  table
      "new"."marts"."listener_hours"
  
  (
    listener_id text not null,
    weekday integer not null,
    hour integer not null,
    scrobbles bigint not null,
    scrobbles_clean bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."listener_hours" 
  (
    
      
      
      listener_id ,
    
      
      
      weekday ,
    
      
      
      hour ,
    
      
      
      scrobbles ,
    
      
      
      scrobbles_clean 
    
  )
 (
      
    select listener_id, weekday, hour, scrobbles, scrobbles_clean
    from (
        -- One row per listener ('' is the whole panel), weekday and hour with a scrobble (UTC).
with

scrobbles as (

    select * from "new"."marts"."fct_scrobbles"

),

dated as (

    select
        listener_id,
        cast(extract(isodow from scrobbled_at) as integer) as weekday,
        cast(extract(hour from scrobbled_at) as integer) as hour,
        is_flagged

    from scrobbles

),

final as (

    select
        coalesce(listener_id, '') as listener_id,
        weekday,
        hour,
        cast(count(*) as bigint) as scrobbles,
        cast(count(*) filter (where not is_flagged) as bigint) as scrobbles_clean

    from dated

    group by grouping sets ((listener_id, weekday, hour), (weekday, hour))

)

select * from final
    ) as model_subq
    );
  