drop table if exists "new"."marts"."listener_friends" cascade;

    
      
    

    create  table
      "new"."marts"."listener_friends"
  
  (
    listener_id text not null,
    friend_id text not null,
    is_in_panel boolean not null
    
    )
 ;
    
    
    insert into "new"."marts"."listener_friends" 
  (
    
      
      
      listener_id ,
    
      
      
      friend_id ,
    
      
      
      is_in_panel 
    
  )
 (
      
    select listener_id, friend_id, is_in_panel
    from (
        -- One row per listener and friend in last.fm's list of the listener's friends.
with

answered as (

    select * from "new"."staging"."stg_lastfm__user_friends"

),

listeners as (

    select * from "new"."marts"."dim_listeners"

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
        answered.friend_id,
        row_number() over (
            partition by
                answered.listener_id,
                answered.friend_id
            order by answered.fetched_at desc, answered.call_id, answered.item_index
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
        ranked.friend_id,
        listeners.listener_id is not null as is_in_panel

    from ranked

    left join listeners on ranked.friend_id = listeners.listener_id

    where ranked.choice = 1

)

select * from final
    ) as model_subq
    );
  