-- One row per version that was published before this build.
with

source as (

    select * from "new"."raw"."published__versions"

),

final as (

    select
        load_id,
        version,
        edition,
        as_of_date as version_date,
        cast(published_at as timestamp) as published_at,
        cast(answered_through as timestamp) as answered_through_at

    from source

)

select * from final