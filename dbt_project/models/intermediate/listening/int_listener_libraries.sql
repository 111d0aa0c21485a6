-- One row per listener and artist the listener has played.
--
-- From the scrobbles; where there are none of a listener, from the top artists of all
-- time that last.fm gives, which count more than the scrobbles do.
with

years as (

    select * from {{ ref('int_listener_years') }}

    where entity_type = 'artist'

),

top_artists as (

    select * from {{ ref('stg_lastfm__user_top_artists') }}

),

listener_artists as (

    select
        listener_id,
        entity_id as artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles

    from years

    group by listener_id, entity_id

),

listened as (

    select distinct listener_id from listener_artists

),

answered as (

    select
        top_artists.listener_id,
        top_artists.artist_id,
        top_artists.playcount,
        row_number() over (
            partition by top_artists.listener_id, top_artists.artist_id
            order by
                top_artists.fetched_at desc,
                top_artists.load_id desc,
                top_artists.position,
                top_artists.call_id
        ) as recency

    from top_artists

    left join listened on top_artists.listener_id = listened.listener_id

    where
        listened.listener_id is null
        and top_artists.period = 'overall'
        and top_artists.playcount > 0

),

plays as (

    select
        listener_id,
        artist_id,
        scrobbles as plays

    from listener_artists

    union all

    select
        listener_id,
        artist_id,
        playcount as plays

    from answered

    where recency = 1

),

panel as (

    select count(distinct listener_id) as listeners from plays

),

rarities as (

    select
        plays.artist_id,
        count(*) as listeners

    from plays

    group by plays.artist_id

),

-- Whole millionths: sums of them are the same in any order, on any engine.
weighted as (

    select
        plays.listener_id,
        plays.artist_id,
        plays.plays,
        cast(
            floor(
                1000000 * ln(1 + cast(plays.plays as {{ type_double() }}))
                * ln(1 + {{ ratio('panel.listeners', 'rarities.listeners') }})
                + 0.5
            ) as bigint
        ) as weight

    from plays

    inner join rarities on plays.artist_id = rarities.artist_id

    cross join panel

),

placed as (

    select
        listener_id,
        artist_id,
        plays,
        weight,
        row_number() over (
            partition by listener_id order by weight desc, artist_id
        ) as place

    from weighted

),

lengths as (

    select
        listener_id,
        sqrt(
            cast(
                sum(cast(weight as numeric(38, 0)) * weight) as {{ type_double() }}
            )
        ) as length

    from placed

    where place <= {{ var('neighbours').artists }}

    group by listener_id

),

-- Brought to length one (a million): a large library weighs no more than a small one.
final as (

    select
        placed.listener_id,
        placed.artist_id,
        placed.plays,
        cast(placed.place as integer) as place,
        cast(
            floor(1000000 * {{ ratio('placed.weight', 'lengths.length') }} + 0.5)
            as bigint
        ) as weight

    from placed

    inner join lengths on placed.listener_id = lengths.listener_id

)

select * from final
