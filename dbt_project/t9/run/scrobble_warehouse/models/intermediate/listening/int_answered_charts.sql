drop table if exists "new"."intermediate"."int_answered_charts" cascade;

    

    create  table
      "new"."intermediate"."int_answered_charts"
  
    
    as (
      -- One row per answered chart, day and position, of the days the new loads hold.
-- depends_on: "new"."staging"."stg_lastfm__artist_aliases"
-- depends_on: "new"."staging"."stg_lastfm__answers"

with

chart_top_artists as (

    select * from "new"."staging"."stg_lastfm__chart_top_artists"

),

chart_top_tracks as (

    select * from "new"."staging"."stg_lastfm__chart_top_tracks"

),

chart_top_tags as (

    select * from "new"."staging"."stg_lastfm__chart_top_tags"

),

geo_top_artists as (

    select * from "new"."staging"."stg_lastfm__geo_top_artists"

),

geo_top_tracks as (

    select * from "new"."staging"."stg_lastfm__geo_top_tracks"

),

tag_top_artists as (

    select * from "new"."staging"."stg_lastfm__tag_top_artists"

),

tag_top_tracks as (

    select * from "new"."staging"."stg_lastfm__tag_top_tracks"

),

answered as (


    select
        cast('global_artists' as TEXT) as chart,
        cast('' as TEXT) as scope,
        as_of_date as issue_date,
        position,
        artist_id as entity_id,
        artist_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(listeners as bigint) as listeners

    from chart_top_artists

    where position <= 200 

    union all


    select
        cast('global_tracks' as TEXT) as chart,
        cast('' as TEXT) as scope,
        as_of_date as issue_date,
        position,
        track_id as entity_id,
        track_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(listeners as bigint) as listeners

    from chart_top_tracks

    where position <= 200 

    union all


    select
        cast('global_tags' as TEXT) as chart,
        cast('' as TEXT) as scope,
        as_of_date as issue_date,
        position,
        tag_id as entity_id,
        tag_name as entity_name,
        cast(
            null as TEXT
        ) as artist_id,
        cast(
            null as TEXT
        ) as artist_name,
        cast(reach as bigint) as listeners

    from chart_top_tags

    where position <= 200 

    union all


    select
        cast('country_artists' as TEXT) as chart,
        cast(country as TEXT) as scope,
        as_of_date as issue_date,
        position,
        artist_id as entity_id,
        artist_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(listeners as bigint) as listeners

    from geo_top_artists

    where position <= 200 

    union all


    select
        cast('country_tracks' as TEXT) as chart,
        cast(country as TEXT) as scope,
        as_of_date as issue_date,
        position,
        track_id as entity_id,
        track_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(listeners as bigint) as listeners

    from geo_top_tracks

    where position <= 200 

    union all


    select
        cast('tag_artists' as TEXT) as chart,
        cast(tag_name as TEXT) as scope,
        as_of_date as issue_date,
        position,
        artist_id as entity_id,
        artist_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(null as bigint) as listeners

    from tag_top_artists

    where position <= 200 

    union all


    select
        cast('tag_tracks' as TEXT) as chart,
        cast(tag_name as TEXT) as scope,
        as_of_date as issue_date,
        position,
        track_id as entity_id,
        track_name as entity_name,
        cast(
            artist_id as TEXT
        ) as artist_id,
        cast(
            artist_name as TEXT
        ) as artist_name,
        cast(null as bigint) as listeners

    from tag_top_tracks

    where position <= 200 

    


),

-- Pages drift while they are asked for: who stands on two has the better place.
ranked as (

    select
        chart,
        scope,
        issue_date,
        position,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        listeners,
        row_number() over (
            partition by chart, scope, issue_date, entity_id order by position
        ) as repetition

    from answered

),

final as (

    select
        chart,
        scope,
        issue_date,
        position,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        listeners

    from ranked

    where repetition = 1

)

select * from final
    );
    
  