drop view if exists "new"."staging"."stg_published__constants" cascade;

  
  create view "new"."staging"."stg_published__constants" as (
    -- One row per constant of the artist value that a fit chose or gave back.
with

source as (

    select * from "new"."raw"."published__constants"

),

final as (

    select
        load_id,
        constant,
        value,
        cast(fitted_at as timestamp) as fitted_at,
        cast(first_day as date) as first_date,
        cast(last_day as date) as last_date,
        cast(split_day as date) as split_date,
        artists,
        steps,
        error,
        error_before,
        outlook_error,
        outlook_error_before

    from source

)

select * from final
  );
