drop view if exists "new"."staging"."stg_ledger__dead_letters" cascade;

  
  create view "new"."staging"."stg_ledger__dead_letters" as (
    -- One row per item that did not fit its row type.
with

source as (

    select * from "new"."raw"."dead_letters"

),

final as (

    select
        dead_letter_id,
        load_id,
        call_id,
        as_of_date,
        fetched_at,
        method,
        table_name,
        item_index,
        item,
        encoding,
        path,
        error

    from source

)

select * from final
  );
