-- One row per listener and neighbour.
--
-- Who listens most alike. A flagged listener is nobody's neighbour and has none.
with

libraries as (

    select * from "new"."intermediate"."int_listener_libraries"

),

flagged_days as (

    select * from "new"."intermediate"."int_flagged_days"

),

numbers as (

    select
        listener_id,
        cast(row_number() over (order by md5(listener_id)) as integer) as number

    from libraries

    where
        not exists (
            select 1 from flagged_days
            where flagged_days.listener_id = libraries.listener_id
        )

    group by listener_id

),

compared as (

    select
        numbers.number,
        libraries.artist_id,
        libraries.weight

    from libraries

    inner join numbers on libraries.listener_id = numbers.listener_id

    where libraries.place <= 200

),

known as (

    select
        number,
        artist_id,
        weight,
        count(*) over (partition by artist_id) as listeners

    from compared

),

-- An artist whom very many listen to finds nobody: its pairs grow with the square of
-- its listeners, and it says little of whom they are like.
telling as (

    select * from known

    where listeners <= 1000

),

met as (

    select
        one.number as one_number,
        other.number as other_number,
        cast(count(*) as bigint) as shared_artists,
        cast(sum(one.weight * other.weight) as bigint) as product

    from telling as one

    inner join telling as other
        on one.artist_id = other.artist_id and one.number < other.number

    group by one.number, other.number

),

directed as (

    select
        one_number,
        other_number,
        product

    from met

    union all

    select
        other_number as one_number,
        one_number as other_number,
        product

    from met

),

nearest as (

    select
        one_number,
        other_number,
        row_number() over (
            partition by one_number order by product desc, other_number
        ) as place

    from directed

),

-- Whoever was met is compared by all artists.
pairs as (

    select
        nearest.one_number,
        nearest.other_number,
        cast(count(*) as bigint) as shared_artists,
        cast(sum(one.weight * other.weight) as bigint) as product

    from nearest

    inner join compared as one on nearest.one_number = one.number

    inner join compared as other
        on nearest.other_number = other.number and one.artist_id = other.artist_id

    where nearest.place <= 2 * 50

    group by nearest.one_number, nearest.other_number

),

most as (

    select max(shared_artists) as shared_artists

    from (
        select shared_artists from met
        union all
        select shared_artists from pairs
    ) as everyone

),

ranked as (

    select
        one_number,
        other_number,
        shared_artists,
        product,
        row_number() over (
            partition by one_number
            order by product desc, shared_artists desc, other_number
        ) as rank

    from pairs

    where shared_artists >= 2 and product > 0

),

final as (

    select
        listeners.listener_id,
        neighbours.listener_id as neighbour_id,
        cast(ranked.rank as integer) as rank,
        least((
        cast(ranked.product as double precision)
        / nullif(cast(1000000000000 as double precision), 0)
    ), 1) as affinity,
        (
        cast(ranked.shared_artists as double precision)
        / nullif(cast(most.shared_artists as double precision), 0)
    ) as intensity,
        ranked.shared_artists

    from ranked

    inner join numbers as listeners on ranked.one_number = listeners.number

    inner join numbers as neighbours on ranked.other_number = neighbours.number

    cross join most

    where ranked.rank <= 50

)

select * from final