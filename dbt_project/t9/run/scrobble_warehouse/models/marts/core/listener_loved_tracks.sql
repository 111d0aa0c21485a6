drop table if exists "new"."marts"."listener_loved_tracks" cascade;

    
      
    

    create  table
      "new"."marts"."listener_loved_tracks"
  
  (
    listener_id text not null,
    track_id text not null,
    loved_at timestamp
    
    )
 ;
    
    
    insert into "new"."marts"."listener_loved_tracks" 
  (
    
      
      
      listener_id ,
    
      
      
      track_id ,
    
      
      
      loved_at 
    
  )
 (
      
    select listener_id, track_id, loved_at
    from (
        -- One row per listener and track that the listener loves.
with

answered as (

    select * from "new"."staging"."stg_lastfm__user_loved_tracks"

),

-- The last day that answered wins; its pages are several calls.
last_days as (

    select
        listener_id,
        max(as_of_date) as as_of_date

    from answered

    group by listener_id

),

ranked as (

    select
        answered.listener_id,
        answered.track_id,
        answered.loved_at,
        row_number() over (
            partition by
                answered.listener_id,
                answered.track_id
            order by
                answered.loved_at desc nulls last,
                answered.fetched_at desc,
                answered.call_id,
                answered.item_index
        ) as choice

    from answered

    inner join last_days
        on
            answered.listener_id = last_days.listener_id
            and answered.as_of_date = last_days.as_of_date

),

final as (

    select
        ranked.listener_id,
        ranked.track_id,
        ranked.loved_at

    from ranked

    where ranked.choice = 1

)

select * from final
    ) as model_subq
    );
  