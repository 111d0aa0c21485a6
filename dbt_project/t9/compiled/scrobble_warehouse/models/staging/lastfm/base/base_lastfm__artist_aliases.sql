-- One row per artist name key that was corrected to another artist at some time.
with recursive

redirects as (

    select * from "new"."staging"."base_lastfm__artist_redirects"

),

-- That B is A, by last.fm, is not heard where an administrator decided that A is B: it
-- is changed by that decision too.
edges as (

    select
        redirects.alias_key,
        redirects.target_key,
        redirects.has_changed,
        greatest(redirects.since_load_id, opposite.since_load_id) as since_load_id,
        redirects.alias_key <> redirects.target_key as is_alias,
        opposite.alias_key is null as is_heard

    from redirects

    left join redirects as opposite
        on
            redirects.target_key = opposite.alias_key
            and redirects.alias_key = opposite.target_key
            and opposite.is_decided
            and not redirects.is_decided

),

links as (

    select
        alias_key,
        target_key

    from edges

    where is_alias and is_heard

),

reached as (

    select alias_key, target_key
    from links

    union

    select reached.alias_key, further.target_key
    from reached
    inner join links as further on reached.target_key = further.alias_key

),

-- A chain ends at the one name that is corrected no further; a circle has no such end
-- and stands for the smallest md5 of its members, as text order differs by collation.
ends as (

    select
        reached.alias_key,
        min(md5(reached.target_key)) as artist_id

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
            and ends.artist_id = md5(reached.target_key)

    group by ends.alias_key, ends.artist_id

),

-- An alias changes hands when any name on its way does, also when a name on the way
-- stops being an alias (then its own edge leads to itself).
path_loads as (

    select
        alias_key,
        since_load_id

    from edges

    where is_alias or has_changed

    union all

    select
        reached.alias_key,
        edges.since_load_id

    from reached

    inner join edges on reached.target_key = edges.alias_key

    where edges.is_alias or edges.has_changed

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
        md5(changes.alias_key) as alias_artist_id,
        coalesce(resolved.artist_key, changes.alias_key) as artist_key,
        coalesce(
            resolved.artist_id, md5(changes.alias_key)
        ) as artist_id,
        coalesce(resolved.artist_key <> changes.alias_key, false) as is_alias,
        redirects.is_decided,
        changes.identity_load_id

    from changes

    inner join redirects on changes.alias_key = redirects.alias_key

    left join resolved on changes.alias_key = resolved.alias_key

)

select * from final