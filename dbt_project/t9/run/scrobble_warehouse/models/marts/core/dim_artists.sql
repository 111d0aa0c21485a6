drop table if exists "new"."marts"."dim_artists" cascade;

    
      
    

    create  table
      "new"."marts"."dim_artists"
  
  (
    artist_id text not null,
    artist_name text not null,
    name_key text not null,
    artist_mbid text,
    is_tracked boolean not null,
    top_tag text,
    listeners bigint,
    playcount bigint,
    spellings bigint not null,
    first_seen_date date not null,
    scrobbles bigint not null,
    scrobbles_counted bigint not null,
    panel_listeners bigint not null,
    panel_listeners_counted bigint not null
    
    )
 ;
    
    
    insert into "new"."marts"."dim_artists" 
  (
    
      
      
      artist_id ,
    
      
      
      artist_name ,
    
      
      
      name_key ,
    
      
      
      artist_mbid ,
    
      
      
      is_tracked ,
    
      
      
      top_tag ,
    
      
      
      listeners ,
    
      
      
      playcount ,
    
      
      
      spellings ,
    
      
      
      first_seen_date ,
    
      
      
      scrobbles ,
    
      
      
      scrobbles_counted ,
    
      
      
      panel_listeners ,
    
      
      
      panel_listeners_counted 
    
  )
 (
      
    select artist_id, artist_name, name_key, artist_mbid, is_tracked, top_tag, listeners, playcount, spellings, first_seen_date, scrobbles, scrobbles_counted, panel_listeners, panel_listeners_counted
    from (
        -- One row per artist that was ever answered, after last.fm's corrections.
with

artists as (

    select * from "new"."intermediate"."int_artists"

),

infos as (

    select * from "new"."staging"."stg_lastfm__artist_infos"

),

snapshots as (

    select * from "new"."marts"."fct_artist_snapshots"

),

tags as (

    select * from "new"."marts"."artist_tags"

),

years as (

    select * from "new"."intermediate"."int_listener_years"

    where entity_type = 'artist'

),

tracked as (

    select distinct artist_id

    from infos

    where as_of_date = (select max(newest.as_of_date) from infos as newest)

),

last_days as (

    select
        artist_id,
        max(snapshot_date) as snapshot_date

    from snapshots

    group by artist_id

),

counters as (

    select
        snapshots.artist_id,
        snapshots.listeners,
        snapshots.playcount

    from snapshots

    inner join last_days
        on
            snapshots.artist_id = last_days.artist_id
            and snapshots.snapshot_date = last_days.snapshot_date

),

plays as (

    select
        listener_id,
        entity_id as artist_id,
        sum(scrobbles) as scrobbles,
        sum(scrobbles_counted) as scrobbles_counted

    from years

    group by listener_id, entity_id

),

heard as (

    select
        artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
        cast(count(*) as bigint) as panel_listeners,
        cast(count(*) filter (where scrobbles_counted > 0) as bigint)
            as panel_listeners_counted

    from plays

    group by artist_id

),

final as (

    select
        artists.artist_id,
        artists.artist_name,
        artists.name_key,
        artists.artist_mbid,
        tracked.artist_id is not null as is_tracked,
        tags.tag_name as top_tag,
        counters.listeners,
        counters.playcount,
        artists.spellings,
        artists.first_seen_date,
        coalesce(heard.scrobbles, 0) as scrobbles,
        coalesce(heard.scrobbles_counted, 0) as scrobbles_counted,
        coalesce(heard.panel_listeners, 0) as panel_listeners,
        coalesce(heard.panel_listeners_counted, 0) as panel_listeners_counted

    from artists

    left join tracked on artists.artist_id = tracked.artist_id

    left join tags on artists.artist_id = tags.artist_id and tags.rank = 1

    left join counters on artists.artist_id = counters.artist_id

    left join heard on artists.artist_id = heard.artist_id

)

select * from final
    ) as model_subq
    );
  