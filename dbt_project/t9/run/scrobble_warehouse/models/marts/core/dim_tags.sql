drop table if exists "new"."marts"."dim_tags" cascade;

    
      
    

    create  table
      "new"."marts"."dim_tags"
  
  (
    tag_id text not null,
    tag_name text not null,
    name_key text not null,
    reach bigint,
    taggings bigint,
    artists bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."dim_tags" 
  (
    
      
      
      tag_id ,
    
      
      
      tag_name ,
    
      
      
      name_key ,
    
      
      
      reach ,
    
      
      
      taggings ,
    
      
      
      artists 
    
  )
 (
      
    select tag_id, tag_name, name_key, reach, taggings, artists
    from (
        -- One row per tag that was ever answered.
with

tags as (

    select * from "new"."intermediate"."int_tags"

),

chart as (

    select * from "new"."staging"."stg_lastfm__chart_top_tags"

),

artist_tags as (

    select * from "new"."marts"."artist_tags"

),

ranked_counters as (

    select
        tag_id,
        reach,
        taggings,
        row_number() over (
            partition by tag_id order by as_of_date desc, position
        ) as recency

    from chart

),

tagged as (

    select
        tag_id,
        cast(count(*) as bigint) as artists

    from artist_tags

    group by tag_id

),

final as (

    select
        tags.tag_id,
        tags.tag_name,
        tags.name_key,
        ranked_counters.reach,
        ranked_counters.taggings,
        coalesce(tagged.artists, 0) as artists

    from tags

    left join ranked_counters
        on
            tags.tag_id = ranked_counters.tag_id
            and ranked_counters.recency = 1

    left join tagged on tags.tag_id = tagged.tag_id

)

select * from final
    ) as model_subq
    );
  