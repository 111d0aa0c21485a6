-- One row per listener and artist the listener has not played but may like.
--
-- Three voices: listeners alike, artists alike, tags. Each speaks on a scale of its own
-- from 0 to 1; the sum decides, the loudest gives the reason.
{% set kinds = {'neighbours': 0.5, 'similar_artist': 0.35, 'tag': 0.15} %}
{% set sizes = var('recommendations') %}
with

artists as (

    select * from {{ ref('dim_artists') }}

),

unheard as (

    select * from {{ ref('int_artist_recommendations') }}

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
            when '{{ kind }}' then cast({{ share }} as {{ type_double() }})
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
