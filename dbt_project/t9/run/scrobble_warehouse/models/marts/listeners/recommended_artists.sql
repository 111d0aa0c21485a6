drop table if exists "new"."marts"."recommended_artists" cascade;

    
      
    

    create  table
      "new"."marts"."recommended_artists"
  
  (
    listener_id text not null,
    rank integer not null,
    artist_id text not null,
    artist_name text not null,
    score double precision not null,
    reason text not null,
    reason_kind text not null
    
    )
 ;
    
    
    insert into "new"."marts"."recommended_artists" 
  (
    
      
      
      listener_id ,
    
      
      
      rank ,
    
      
      
      artist_id ,
    
      
      
      artist_name ,
    
      
      
      score ,
    
      
      
      reason ,
    
      
      
      reason_kind 
    
  )
 (
      
    select listener_id, rank, artist_id, artist_name, score, reason, reason_kind
    from (
        -- One row per listener and artist the listener has not played but may like.
--
-- Three voices: listeners alike, artists alike, tags. Each speaks on a scale of its own
-- from 0 to 1; the sum decides, the loudest gives the reason.


with

artists as (

    select * from "new"."marts"."dim_artists"

),

unheard as (

    select * from "new"."intermediate"."int_artist_recommendations"

),

loudest as (

    select
        listener_id,
        kind,
        max(points) as points

    from unheard

    group by listener_id, kind

),

parts as (

    select
        unheard.listener_id,
        unheard.artist_id,
        unheard.kind,
        unheard.reason,
        (
        cast(unheard.points as double precision)
        / nullif(cast(loudest.points as double precision), 0)
    )
        * case unheard.kind
        
            when 'neighbours' then cast(0.5 as double precision)
        
            when 'similar_artist' then cast(0.35 as double precision)
        
            when 'tag' then cast(0.15 as double precision)
        
        end as part

    from unheard

    inner join loudest
        on
            unheard.listener_id = loudest.listener_id
            and unheard.kind = loudest.kind

),

side_by_side as (

    select
        listener_id,
        artist_id,
    
        coalesce(max(case when kind = 'neighbours' then part end), 0)
            as neighbours_part,
        max(case when kind = 'neighbours' then reason end) as neighbours_reason,
    
        coalesce(max(case when kind = 'similar_artist' then part end), 0)
            as similar_artist_part,
        max(case when kind = 'similar_artist' then reason end) as similar_artist_reason,
    
        coalesce(max(case when kind = 'tag' then part end), 0)
            as tag_part,
        max(case when kind = 'tag' then reason end) as tag_reason
    

    from parts

    group by listener_id, artist_id

),

scored as (

    select
        listener_id,
        artist_id,
        neighbours_part + similar_artist_part + tag_part as score,
        case
            when
                neighbours_part >= similar_artist_part
                and neighbours_part >= tag_part
                then 'neighbours'
            when similar_artist_part >= tag_part then 'similar_artist'
            else 'tag'
        end as reason_kind,
        neighbours_reason,
        similar_artist_reason,
        tag_reason

    from side_by_side

),

ranked as (

    select
        scored.listener_id,
        scored.artist_id,
        artists.artist_name,
        scored.score,
        scored.reason_kind,
        case scored.reason_kind
            when 'neighbours' then scored.neighbours_reason
            when 'similar_artist' then scored.similar_artist_reason
            else scored.tag_reason
        end as reason,
        row_number() over (
            partition by scored.listener_id
            order by scored.score desc, scored.artist_id
        ) as rank

    from scored

    inner join artists on scored.artist_id = artists.artist_id

),

final as (

    select
        listener_id,
        cast(rank as integer) as rank,
        artist_id,
        artist_name,
        score,
        reason,
        reason_kind

    from ranked

    where rank <= 50

)

select * from final
    ) as model_subq
    );
  