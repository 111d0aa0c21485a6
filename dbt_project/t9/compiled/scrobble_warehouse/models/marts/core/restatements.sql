-- One row per thing that a version told otherwise than the version before it.
  -- what was published, and what this version adds
with

published as (

    select * from "new"."staging"."stg_published__restatements"

),

new as (

    select * from "new"."intermediate"."int_new_restatements"

),

final as (

    select
        version,
        edition,
        subject,
        entity_type,
        entity_id,
        entity_name,
        restated_date,
        plays,
        old_value,
        new_value,
        reason,
        charts_changed,
        issues_changed

    from published

    union all

    select
        version,
        edition,
        subject,
        entity_type,
        entity_id,
        entity_name,
        restated_date,
        plays,
        old_value,
        new_value,
        reason,
        charts_changed,
        issues_changed

    from new

)

select * from final