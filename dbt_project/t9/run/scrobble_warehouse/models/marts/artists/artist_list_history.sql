drop view if exists "new"."marts"."artist_list_history" cascade;

  
    
  create view "new"."marts"."artist_list_history" as (
    -- One row per list of an artist, item and stretch of days at one place of the list.
  -- rows of int_stretches
with

stretches as (

    select * from "new"."intermediate"."int_stretches"

),

final as (

    select
        subject_id as artist_id,
        history as list_name,
        item_id,
        rank,
        score,
        valid_from_date,
        valid_to_date

    from stretches

    where history in ('tags', 'similar', 'tracks', 'albums')

)

select * from final
  );
