drop table if exists "new"."marts"."listener_flags" cascade;

    
      
    

    create  table
      "new"."marts"."listener_flags"
  
  (
    listener_id text not null,
    flag text not null,
    reason text not null,
    evidence text not null,
    days bigint not null,
    first_date date not null,
    last_date date not null
    
    )
 ;
    
    
    insert into "new"."marts"."listener_flags" 
  (
    
      
      
      listener_id ,
    
      
      
      flag ,
    
      
      
      reason ,
    
      
      
      evidence ,
    
      
      
      days ,
    
      
      
      first_date ,
    
      
      
      last_date 
    
  )
 (
      
    select listener_id, flag, reason, evidence, days, first_date, last_date
    from (
        -- One row per listener and rule by which the listening is hardly one person's.
--
-- The rules and their numbers are the vars listener_flags. The plays of the days that a
-- rule names do not count on charts; fct_listener_days says which days these are.

with

flagged_days as (

    select * from "new"."intermediate"."int_flagged_days"

),

reasons as (

    select
        flag,
        reason,
        most_of

    from (
        values
        (
            'many_plays',
            'at least 650 plays in 24 hours',
            'most plays in 24 hours'
        ),
        (
            'long_hours',
            'plays in at least 144 of 192'
            || ' hours',
            'most hours of 192 with a play'
        ),
        (
            'round_the_clock',
            'at least 400 plays through'
            || ' 22 of 24 hours, never quiet for'
            || ' 120 minutes',
            'most plays in 24 hours'
        ),
        (
            'bursts',
            'at least 30 % of 100 or more plays'
            || ' in 24 hours last less than half their known length',
            'most plays cut short in 24 hours'
        ),
        (
            'repetition',
            'at least 95 % of 300 or'
            || ' more plays through 12 of 24 hours repeat'
            || ' a track of the 24 hours before',
            'most repeated plays in 24 hours'
        )
    ) as rules (flag, reason, most_of)

),

found as (

    select
        listener_id,
        flag,
        cast(count(*) as bigint) as days,
        max(most) as most,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from flagged_days

    group by listener_id, flag

),

final as (

    select
        found.listener_id,
        found.flag,
        reasons.reason,
        'days: ' || found.days || '; ' || reasons.most_of || ': ' || found.most
            as evidence,
        found.days,
        found.first_date,
        found.last_date

    from found

    inner join reasons on found.flag = reasons.flag

)

select * from final
    ) as model_subq
    );
  