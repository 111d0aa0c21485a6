-- One row per artist name key that last.fm has corrected to another artist.
with recursive

corrections as (

    select * from {{ ref('stg_lastfm__artist_corrections') }}

),

infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }}

),

-- What an alias was answered to stand for: a correction says it outright, an
-- artist.getInfo answered under another name says it in passing.
answered as (

    select
        requested_key as alias_key,
        answered_key as target_key,
        as_of_date,
        0 as kind,
        fetched_at,
        load_id,
        call_id,
        item_index

    from corrections

    where requested_key is not null

    union all

    select
        requested_key as alias_key,
        answered_key as target_key,
        as_of_date,
        1 as kind,
        fetched_at,
        load_id,
        call_id,
        item_index

    from infos

    where requested_key is not null

),

ranked as (

    select
        alias_key,
        target_key,
        load_id,
        row_number() over (
            partition by alias_key
            order by
                as_of_date desc,
                kind,
                fetched_at desc,
                load_id desc,
                call_id,
                item_index
        ) as recency

    from answered

),

latest as (

    select
        alias_key,
        target_key

    from ranked

    where recency = 1

),

-- The load that brought the target of today: the first one after the last other target.
other_targets as (

    select
        ranked.alias_key,
        max(ranked.load_id) as other_load_id

    from ranked

    inner join latest on ranked.alias_key = latest.alias_key

    where ranked.target_key <> latest.target_key

    group by ranked.alias_key

),

edges as (

    select
        latest.alias_key,
        latest.target_key,
        max(coalesce(other_targets.other_load_id, 0)) as other_load_id,
        coalesce(
            min(ranked.load_id) filter (
                where ranked.load_id > coalesce(other_targets.other_load_id, 0)
            ),
            max(other_targets.other_load_id)
        ) as since_load_id

    from latest

    inner join ranked
        on
            latest.alias_key = ranked.alias_key
            and latest.target_key = ranked.target_key

    left join other_targets on latest.alias_key = other_targets.alias_key

    group by latest.alias_key, latest.target_key

),

links as (

    select
        alias_key,
        target_key

    from edges

    where alias_key <> target_key

),

-- `union`, not `union all`: a circle of corrections ends by itself.
reached as (

    select
        alias_key,
        target_key

    from links

    union

    select
        reached.alias_key,
        links.target_key

    from reached

    inner join links on reached.target_key = links.alias_key

),

-- A chain ends at the one name that is corrected no further; a circle has no such end
-- and stands for the smallest md5 of its members, as text order differs by collation.
ends as (

    select
        reached.alias_key,
        min({{ hashed_key(['reached.target_key']) }}) as artist_id

    from reached

    left join links on reached.target_key = links.alias_key

    left join reached as circle
        on
            reached.target_key = circle.alias_key
            and reached.target_key = circle.target_key

    where links.alias_key is null or circle.alias_key is not null

    group by reached.alias_key

),

resolved as (

    select
        ends.alias_key,
        ends.artist_id,
        min(reached.target_key) as artist_key

    from ends

    inner join reached
        on
            ends.alias_key = reached.alias_key
            and ends.artist_id = {{ hashed_key(['reached.target_key']) }}

    group by ends.alias_key, ends.artist_id

),

-- An alias changes hands when any name on its way does, also when a name on the way
-- stops being an alias (then its own edge leads to itself).
path_loads as (

    select
        alias_key,
        since_load_id

    from edges

    where alias_key <> target_key or other_load_id > 0

    union all

    select
        reached.alias_key,
        edges.since_load_id

    from reached

    inner join edges on reached.target_key = edges.alias_key

    where edges.alias_key <> edges.target_key or edges.other_load_id > 0

),

changes as (

    select
        alias_key,
        max(since_load_id) as identity_load_id

    from path_loads

    group by alias_key

),

final as (

    select
        changes.alias_key,
        {{ hashed_key(['changes.alias_key']) }} as alias_artist_id,
        coalesce(resolved.artist_key, changes.alias_key) as artist_key,
        coalesce(
            resolved.artist_id, {{ hashed_key(['changes.alias_key']) }}
        ) as artist_id,
        coalesce(resolved.artist_key <> changes.alias_key, false) as is_alias,
        changes.identity_load_id

    from changes

    left join resolved on changes.alias_key = resolved.alias_key

)

select * from final
