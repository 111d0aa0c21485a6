-- One row per revision of a chart's issue that was published before this build.
with

source as (

    select * from "new"."raw"."published__issues"

),

final as (

    select
        load_id,
        version,
        edition,
        as_of_date as version_date,
        chart,
        coalesce(scope, '') as scope,
        period,
        cast(issued_on as date) as issue_date,
        cast(revision as integer) as revision,
        finality,
        places,
        changed_places,
        first_before,
        first_now

    from source

)

select * from final