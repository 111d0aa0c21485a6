
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  -- Recommended artists and tracks that the listener has played already.
with

libraries as (

    select * from "new"."intermediate"."int_listener_libraries"

),

scrobbles as (

    select * from "new"."marts"."fct_scrobbles"

),

recommended_artists as (

    select * from "new"."marts"."recommended_artists"

),

recommended_tracks as (

    select * from "new"."marts"."recommended_tracks"

)

select
    recommended_artists.listener_id,
    recommended_artists.artist_id as entity_id

from recommended_artists

inner join libraries
    on
        recommended_artists.listener_id = libraries.listener_id
        and recommended_artists.artist_id = libraries.artist_id

union all

select
    recommended_tracks.listener_id,
    recommended_tracks.track_id as entity_id

from recommended_tracks

inner join scrobbles
    on
        recommended_tracks.listener_id = scrobbles.listener_id
        and recommended_tracks.track_id = scrobbles.track_id
  
  
      
    ) dbt_internal_test