drop view if exists "new"."staging"."stg_lastfm__tag_spellings" cascade;

  
  create view "new"."staging"."stg_lastfm__tag_spellings" as (
    -- One row per spelling of a tag, with the tag's key.
with

spellings as (

    select * from "new"."staging"."base_lastfm__tag_spellings"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        md5(names.name_key) as tag_id,
        names.name_key,
        case when names.name_key like '(blank name U+%' then names.name_key else spellings.tag_name end as tag_name,
        spellings.first_seen_date,
        spellings.last_seen_date,
        spellings.is_official

    from spellings

    left join names on spellings.tag_name = names.name

)

select * from final
  );
