-- One row per listener, artist not yet played, and voice that speaks for it.
--
-- Three voices: listeners alike, artists alike, tags.

with

artists as (

    select * from "new"."intermediate"."int_artists"

),

libraries as (

    select * from "new"."intermediate"."int_listener_libraries"

),

neighbours as (

    select * from "new"."intermediate"."int_listener_neighbours"

),

similar_artists as (

    select * from "new"."intermediate"."int_artist_similar"

),

tags as (

    select * from "new"."intermediate"."int_tags"

),

from_tags as (

    select * from "new"."intermediate"."int_tag_recommendations"

),

from_neighbours as (

    select
        neighbours.listener_id,
        libraries.artist_id,
        cast(sum(
            cast(floor(1000000 * neighbours.affinity) as bigint) * libraries.weight
        ) as bigint) as points,
        cast(count(*) as bigint) as voices

    from neighbours

    inner join libraries
        on
            neighbours.neighbour_id = libraries.listener_id
            and libraries.place <= 50

    where neighbours.rank <= 50

    group by neighbours.listener_id, libraries.artist_id

),

likenesses as (

    select
        libraries.listener_id,
        similar_artists.similar_artist_id as artist_id,
        libraries.artist_id as own_artist_id,
        libraries.plays,
        libraries.weight
        * cast(floor(1000 * similar_artists.match) as bigint) as points,
        row_number() over (
            partition by libraries.listener_id, similar_artists.similar_artist_id
            order by
                libraries.weight
                * cast(floor(1000 * similar_artists.match) as bigint) desc,
                libraries.artist_id
        ) as loudness

    from libraries

    inner join similar_artists on libraries.artist_id = similar_artists.artist_id

    where libraries.place <= 50

),

from_similar as (

    select
        listener_id,
        artist_id,
        cast(sum(points) as bigint) as points,
        max(case when loudness = 1 then own_artist_id end) as own_artist_id,
        max(case when loudness = 1 then plays end) as plays

    from likenesses

    group by listener_id, artist_id

),

voices as (

    select
        from_neighbours.listener_id,
        from_neighbours.artist_id,
        cast('neighbours' as TEXT) as kind,
        from_neighbours.points,
        case
            when from_neighbours.voices = 1
                then 'Played by a listener with a taste like yours'
            else
                'Played by ' || from_neighbours.voices
                || ' listeners with a taste like yours'
        end as reason

    from from_neighbours

    union all

    select
        from_similar.listener_id,
        from_similar.artist_id,
        cast('similar_artist' as TEXT) as kind,
        from_similar.points,
        'Similar to ' || artists.artist_name || ', which you have played '
        || case
            when from_similar.plays = 1 then 'once'
            else from_similar.plays || ' times'
        end as reason

    from from_similar

    inner join artists on from_similar.own_artist_id = artists.artist_id

    union all

    select
        from_tags.listener_id,
        from_tags.artist_id,
        cast('tag' as TEXT) as kind,
        from_tags.points,
        'Tagged "' || tags.tag_name || '", which '
        || case
            when from_tags.is_of_panel = 1 then 'the panel plays most'
            else 'you play much of'
        end as reason

    from from_tags

    inner join tags on from_tags.tag_id = tags.tag_id

),

final as (

    select
        voices.listener_id,
        voices.artist_id,
        voices.kind,
        voices.points,
        voices.reason

    from voices

    left join libraries
        on
            voices.listener_id = libraries.listener_id
            and voices.artist_id = libraries.artist_id

    where libraries.artist_id is null and voices.points > 0

)

select * from final