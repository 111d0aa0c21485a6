
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  -- Answers whose items are not all rows or dead letters.
select
    call_id,
    attempt,
    items,
    loaded,
    dead

from "new"."staging"."stg_lastfm__answers"

where
    load_id > 0
    and items <> loaded + dead
  
  
      
    ) dbt_internal_test