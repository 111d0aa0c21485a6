-- One row per listener and track the listener has not played but may like.
--
-- What listeners alike play most, and the best known tracks of recommended artists; who
-- has played nothing yet comes from tag to artist to track.
{% set sizes = var('recommendations') %}
with

neighbours as (

    select * from {{ ref('listener_neighbours') }}

),

listener_top as (

    select * from {{ ref('listener_top') }}

),

recommended_artists as (

    select * from {{ ref('recommended_artists') }}

),

artist_top_tracks as (

    select * from {{ ref('artist_top_tracks') }}

),

tracks as (

    select * from {{ ref('dim_tracks') }}

),

years as (

    select * from {{ ref('int_listener_years') }}

    where entity_type = 'track'

),

from_neighbours as (

    select
        neighbours.listener_id,
        listener_top.entity_id as track_id,
        cast(sum(
            cast(floor(1000000 * neighbours.affinity) as bigint)
            * ({{ var('listener_top_size') }} + 1 - listener_top.place)
        ) as bigint) as points,
        cast(count(*) as bigint) as voices

    from neighbours

    inner join listener_top
        on
            neighbours.neighbour_id = listener_top.listener_id
            and listener_top.entity_type = 'track'
            and listener_top.period = 'all_time'

    where neighbours.rank <= {{ sizes.neighbours }}

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

found as (

    select
        listener_id,
        track_id

    from from_neighbours

    union

    select
        listener_id,
        track_id

    from from_artists

),

heard as (

    select distinct
        years.listener_id,
        years.entity_id as track_id

    from years

    inner join found
        on
            years.listener_id = found.listener_id
            and years.entity_id = found.track_id

),

unheard as (

    select
        found.listener_id,
        found.track_id,
        coalesce(from_neighbours.points, 0) as neighbour_points,
        coalesce(from_artists.points, 0) as artist_points,
        from_neighbours.voices,
        from_artists.reason_kind,
        from_artists.reason

    from found

    left join heard
        on found.listener_id = heard.listener_id and found.track_id = heard.track_id

    left join from_neighbours
        on
            found.listener_id = from_neighbours.listener_id
            and found.track_id = from_neighbours.track_id

    left join from_artists
        on
            found.listener_id = from_artists.listener_id
            and found.track_id = from_artists.track_id

    where heard.track_id is null

),

loudest as (

    select
        listener_id,
        max(neighbour_points) as neighbour_points,
        max(artist_points) as artist_points

    from unheard

    group by listener_id

),

parts as (

    select
        unheard.listener_id,
        unheard.track_id,
        coalesce(
            {{ ratio('unheard.neighbour_points', 'loudest.neighbour_points') }}, 0
        ) as neighbour_part,
        coalesce(
            {{ ratio('unheard.artist_points', 'loudest.artist_points') }}, 0
        ) as artist_part,
        unheard.voices,
        unheard.reason_kind,
        unheard.reason

    from unheard

    inner join loudest on unheard.listener_id = loudest.listener_id

),

ranked as (

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
        row_number() over (
            partition by parts.listener_id
            order by parts.neighbour_part + parts.artist_part desc, parts.track_id
        ) as rank

    from parts

    inner join tracks on parts.track_id = tracks.track_id

),

final as (

    select
        listener_id,
        cast(rank as integer) as rank,
        track_id,
        track_name,
        artist_id,
        artist_name,
        score,
        reason,
        reason_kind

    from ranked

    where rank <= {{ sizes.size }}

)

select * from final
