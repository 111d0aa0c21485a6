drop view if exists "new"."staging"."stg_lastfm__answers" cascade;

  
  create view "new"."staging"."stg_lastfm__answers" as (
    -- One row per answer that was landed, errors and repeated calls included.
with

source as (

    select * from "new"."raw"."lastfm__answers"

),

final as (

    select
        load_id,
        call_id,
        attempt,
        run_id,
        as_of_date,
        fetched_at,
        method,
        params,
        context,
        status,
        bytes,
        error_code,
        error_message,
        outcome,
        items,
        loaded,
        dead

    from source

)

select * from final
  );
