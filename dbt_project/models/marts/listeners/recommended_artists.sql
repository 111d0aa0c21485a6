-- One row per listener and artist the listener has not played but may like.
--
-- Three voices: listeners alike, artists alike, tags. Each speaks on a scale of its own
-- from 0 to 1; the sum decides, the loudest gives the reason.
{% set kinds = {'neighbours': 0.5, 'similar_artist': 0.35, 'tag': 0.15} %}
{% set sizes = var('recommendations') %}
with

listeners as (

    select * from {{ ref('dim_listeners') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

libraries as (

    select * from {{ ref('int_listener_libraries') }}

),

neighbours as (

    select * from {{ ref('listener_neighbours') }}

),

similar_artists as (

    select * from {{ ref('artist_similar') }}

),

artist_tags as (

    select * from {{ ref('artist_tags') }}

),

main_tags as (

    select * from {{ ref('int_artist_main_tags') }}

),

tags as (

    select * from {{ ref('dim_tags') }}

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
            and libraries.place <= {{ sizes.neighbour_artists }}

    where neighbours.rank <= {{ sizes.neighbours }}

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

    where libraries.place <= {{ sizes.own_artists }}

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

-- Who has played nothing yet begins with the tags of the whole panel.
tag_plays as (

    select
        libraries.listener_id,
        main_tags.tag_id,
        cast(sum(libraries.plays) as bigint) as plays

    from libraries

    inner join main_tags on libraries.artist_id = main_tags.artist_id

    group by libraries.listener_id, main_tags.tag_id

),

panel_tag_plays as (

    select
        tag_id,
        cast(sum(plays) as bigint) as plays

    from tag_plays

    group by tag_id

),

with_newcomers as (

    select
        listener_id,
        tag_id,
        plays,
        false as is_of_panel

    from tag_plays

    union all

    select
        listeners.listener_id,
        panel_tag_plays.tag_id,
        panel_tag_plays.plays,
        true as is_of_panel

    from listeners

    cross join panel_tag_plays

    where
        not exists (
            select 1 from tag_plays
            where tag_plays.listener_id = listeners.listener_id
        )

),

own_tags as (

    select
        listener_id,
        tag_id,
        plays,
        is_of_panel,
        row_number() over (
            partition by listener_id order by plays desc, tag_id
        ) as place

    from with_newcomers

),

tag_artists as (

    select
        tag_id,
        artist_id,
        weight,
        row_number() over (
            partition by tag_id order by weight desc, rank, artist_id
        ) as place

    from artist_tags

    where weight > 0

),

tagged as (

    select
        own_tags.listener_id,
        tag_artists.artist_id,
        own_tags.tag_id,
        own_tags.is_of_panel,
        own_tags.plays * tag_artists.weight as points,
        row_number() over (
            partition by own_tags.listener_id, tag_artists.artist_id
            order by own_tags.plays * tag_artists.weight desc, own_tags.tag_id
        ) as loudness

    from own_tags

    inner join tag_artists on own_tags.tag_id = tag_artists.tag_id

    where
        own_tags.place <= {{ sizes.own_tags }}
        and tag_artists.place <= {{ sizes.tag_artists }}

),

from_tags as (

    select
        listener_id,
        artist_id,
        cast(sum(points) as bigint) as points,
        max(case when loudness = 1 then tag_id end) as tag_id,
        max(case when is_of_panel then 1 else 0 end) as is_of_panel

    from tagged

    group by listener_id, artist_id

),

voices as (

    select
        from_neighbours.listener_id,
        from_neighbours.artist_id,
        cast('neighbours' as text) as kind,
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
        cast('similar_artist' as text) as kind,
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
        cast('tag' as text) as kind,
        from_tags.points,
        'Tagged "' || tags.tag_name || '", which '
        || case
            when from_tags.is_of_panel = 1 then 'the panel plays most'
            else 'you play much of'
        end as reason

    from from_tags

    inner join tags on from_tags.tag_id = tags.tag_id

),

unheard as (

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

),

loudest as (

    select
        listener_id,
        kind,
        max(points) as points

    from unheard

    group by listener_id, kind

),

parts as (

    select
        unheard.listener_id,
        unheard.artist_id,
        unheard.kind,
        unheard.reason,
        {{ ratio('unheard.points', 'loudest.points') }}
        * case unheard.kind
        {% for kind, share in kinds.items() %}
            when '{{ kind }}' then cast({{ share }} as double precision)
        {% endfor %}
        end as part

    from unheard

    inner join loudest
        on
            unheard.listener_id = loudest.listener_id
            and unheard.kind = loudest.kind

),

side_by_side as (

    select
        listener_id,
        artist_id,
    {% for kind in kinds %}
        coalesce(max(case when kind = '{{ kind }}' then part end), 0)
            as {{ kind }}_part,
        max(case when kind = '{{ kind }}' then reason end) as {{ kind }}_reason
        {{- ',' if not loop.last }}
    {% endfor %}

    from parts

    group by listener_id, artist_id

),

scored as (

    select
        listener_id,
        artist_id,
        neighbours_part + similar_artist_part + tag_part as score,
        case
            when
                neighbours_part >= similar_artist_part
                and neighbours_part >= tag_part
                then 'neighbours'
            when similar_artist_part >= tag_part then 'similar_artist'
            else 'tag'
        end as reason_kind,
        neighbours_reason,
        similar_artist_reason,
        tag_reason

    from side_by_side

),

ranked as (

    select
        scored.listener_id,
        scored.artist_id,
        artists.artist_name,
        scored.score,
        scored.reason_kind,
        case scored.reason_kind
            when 'neighbours' then scored.neighbours_reason
            when 'similar_artist' then scored.similar_artist_reason
            else scored.tag_reason
        end as reason,
        row_number() over (
            partition by scored.listener_id
            order by scored.score desc, scored.artist_id
        ) as rank

    from scored

    inner join artists on scored.artist_id = artists.artist_id

),

final as (

    select
        listener_id,
        cast(rank as integer) as rank,
        artist_id,
        artist_name,
        score,
        reason,
        reason_kind

    from ranked

    where rank <= {{ sizes.size }}

)

select * from final
