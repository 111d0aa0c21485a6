drop view if exists "new"."staging"."stg_published__restatements" cascade;

  
  create view "new"."staging"."stg_published__restatements" as (
    -- One row per thing that a published version told otherwise than the one before.
with

source as (

    select * from "new"."raw"."published__restatements"

),

final as (

    select
        load_id,
        version,
        edition,
        as_of_date as version_date,
        subject,
        entity_type,
        entity_id,
        entity as entity_name,
        cast(restated_on as date) as restated_date,
        plays,
        old_value,
        new_value,
        reason,
        charts_changed,
        issues_changed

    from source

)

select * from final
  );
