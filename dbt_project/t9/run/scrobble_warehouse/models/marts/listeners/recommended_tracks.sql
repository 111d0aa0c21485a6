drop table if exists "new"."marts"."recommended_tracks" cascade;

    
      
    

    create  table
      "new"."marts"."recommended_tracks"
  
  (
    listener_id text not null,
    rank integer not null,
    track_id text not null,
    track_name text not null,
    artist_id text not null,
    artist_name text not null,
    score double precision not null,
    reason text not null,
    reason_kind text not null
    
    )
 ;
    
    
    insert into "new"."marts"."recommended_tracks" 
  (
    
      
      
      listener_id ,
    
      
      
      rank ,
    
      
      
      track_id ,
    
      
      
      track_name ,
    
      
      
      artist_id ,
    
      
      
      artist_name ,
    
      
      
      score ,
    
      
      
      reason ,
    
      
      
      reason_kind 
    
  )
 (
      
    select listener_id, rank, track_id, track_name, artist_id, artist_name, score, reason, reason_kind
    from (
        -- One row per listener and track the listener has not played but may like.
--
-- What listeners alike play most, and the best known tracks of recommended artists; who
-- has played nothing yet comes from tag to artist to track.

with

neighbours as (

    select * from "new"."marts"."listener_neighbours"

),

listener_top as (

    select * from "new"."marts"."listener_top"

),

recommended_artists as (

    select * from "new"."marts"."recommended_artists"

),

artist_top_tracks as (

    select * from "new"."marts"."artist_top_tracks"

),

tracks as (

    select * from "new"."marts"."dim_tracks"

),

heard as (

    select distinct
        listener_id,
        entity_id as track_id

    from "new"."intermediate"."int_listener_years"

    where entity_type = 'track'

),

from_neighbours as (

    select
        neighbours.listener_id,
        listener_top.entity_id as track_id,
        cast(sum(
            cast(floor(1000000 * neighbours.affinity) as bigint)
            * (50 + 1 - listener_top.place)
        ) as bigint) as points,
        cast(count(*) as bigint) as voices

    from neighbours

    inner join listener_top
        on
            neighbours.neighbour_id = listener_top.listener_id
            and listener_top.entity_type = 'track'
            and listener_top.period = 'all_time'

    where neighbours.rank <= 50

    group by neighbours.listener_id, listener_top.entity_id

),

-- An artist's best known track stands for the artist, the next two for somewhat less.
from_artists as (

    select
        recommended_artists.listener_id,
        artist_top_tracks.track_id,
        cast(
            floor(1000000 * recommended_artists.score) as bigint
        ) * (4 - artist_top_tracks.rank) as points,
        recommended_artists.reason_kind,
        recommended_artists.reason

    from recommended_artists

    inner join artist_top_tracks
        on recommended_artists.artist_id = artist_top_tracks.artist_id

    where artist_top_tracks.rank <= 3

),

unheard as (

    select
        coalesce(from_neighbours.listener_id, from_artists.listener_id) as listener_id,
        coalesce(from_neighbours.track_id, from_artists.track_id) as track_id,
        coalesce(from_neighbours.points, 0) as neighbour_points,
        coalesce(from_artists.points, 0) as artist_points,
        from_neighbours.voices,
        from_artists.reason_kind,
        from_artists.reason

    from from_neighbours

    full outer join from_artists
        on
            from_neighbours.listener_id = from_artists.listener_id
            and from_neighbours.track_id = from_artists.track_id

    left join heard
        on
            coalesce(from_neighbours.listener_id, from_artists.listener_id)
            = heard.listener_id
            and coalesce(from_neighbours.track_id, from_artists.track_id)
            = heard.track_id

    where heard.track_id is null

),

-- Each voice on a scale from 0 to 1: the listener's loudest is 1.
parts as (

    select
        listener_id,
        track_id,
        coalesce(
            (
        cast(neighbour_points as double precision)
        / nullif(cast(max(neighbour_points) over (partition by listener_id) as double precision), 0)
    ),
            0
        ) as neighbour_part,
        coalesce(
            (
        cast(artist_points as double precision)
        / nullif(cast(max(artist_points) over (partition by listener_id) as double precision), 0)
    ),
            0
        ) as artist_part,
        voices,
        reason_kind,
        reason

    from unheard

),

final as (

    select
        parts.listener_id,
        parts.track_id,
        tracks.track_name,
        tracks.artist_id,
        tracks.artist_name,
        parts.neighbour_part + parts.artist_part as score,
        case
            when parts.neighbour_part >= parts.artist_part then 'neighbours'
            else parts.reason_kind
        end as reason_kind,
        case
            when parts.neighbour_part < parts.artist_part
                then 'By ' || tracks.artist_name || ': ' || parts.reason
            when parts.voices = 1
                then 'A favourite of a listener with a taste like yours'
            else
                'A favourite of ' || parts.voices
                || ' listeners with a taste like yours'
        end as reason,
        cast(
            row_number() over (
                partition by parts.listener_id
                order by parts.neighbour_part + parts.artist_part desc, parts.track_id
            ) as integer
        ) as rank

    from parts

    inner join tracks on parts.track_id = tracks.track_id

)

select * from final where rank <= 50
    ) as model_subq
    );
  