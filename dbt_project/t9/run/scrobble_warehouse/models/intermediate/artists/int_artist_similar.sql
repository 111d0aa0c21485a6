drop table if exists "new"."intermediate"."int_artist_similar" cascade;

    
      
    

    create  table
      "new"."intermediate"."int_artist_similar"
  
  (
    artist_id text not null,
    similar_artist_id text not null,
    similar_artist_name text not null,
    match double precision,
    rank integer not null,
    as_of_date date not null
    
    )
 ;
    
    
    insert into "new"."intermediate"."int_artist_similar" 
  (
    
      
      
      artist_id ,
    
      
      
      similar_artist_id ,
    
      
      
      similar_artist_name ,
    
      
      
      match ,
    
      
      
      rank ,
    
      
      
      as_of_date 
    
  )
 (
      
    select artist_id, similar_artist_id, similar_artist_name, match, rank, as_of_date
    from (
        -- One row per artist and artist that last.fm calls similar.
with

answered as (

    select * from "new"."staging"."stg_lastfm__artist_similar"

),

listed as (

    select
        artist_id,
        similar_artist_id,
        similar_artist_name,
        match,
        position,
        as_of_date

    from (
        select
            last_answers.*,
            row_number() over (
                partition by artist_id, similar_artist_id order by position, item_index
            ) as mention

        from (
            select
                answered.*,
                -- One place for all rows of an answer.
                rank() over (
                    partition by artist_id
                    order by as_of_date desc, fetched_at desc, call_id desc
                ) as recency

            from answered as answered
        ) as last_answers

        where recency = 1
    ) as mentions

    where mention = 1

),

final as (

    select
        artist_id,
        similar_artist_id,
        similar_artist_name,
        match,
        cast(
            row_number() over (
                partition by artist_id order by position, similar_artist_id
            ) as integer
        ) as rank,
        as_of_date

    from listed

    where similar_artist_id <> artist_id

)

select * from final
    ) as model_subq
    );
  