drop table if exists "new"."intermediate"."int_tags" cascade;

    

    create  table
      "new"."intermediate"."int_tags"
  
    
    as (
      -- One row per tag that was ever answered.
with

spellings as (

    select * from "new"."staging"."stg_lastfm__tag_spellings"

),

ranked_names as (

    select
        tag_id,
        tag_name,
        name_key,
        row_number() over (
            partition by tag_id
            order by is_official desc, last_seen_date desc, md5(tag_name)
        ) as choice

    from spellings

),

final as (

    select
        tag_id,
        tag_name,
        name_key

    from ranked_names

    where choice = 1

)

select * from final
    );
    
  