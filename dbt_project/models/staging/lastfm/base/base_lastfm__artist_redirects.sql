-- One row per artist name key that last.fm was asked to correct, with the right key.
with

corrections as (

    select * from {{ source('lastfm', 'artist_corrections') }}

),

name_keys as (

    select * from {{ source('lastfm', 'name_keys') }}

),

-- artist.getCorrection alone says that two names are one artist. That artist.getInfo
-- answers under another name does not: it may have read the name wrong.
ranked as (

    select
        aliases.name_key as alias_key,
        targets.name_key as target_key,
        corrections.load_id,
        row_number() over (
            partition by aliases.name_key
            order by
                corrections.as_of_date desc,
                corrections.fetched_at desc,
                corrections.load_id desc,
                corrections.call_id,
                corrections.item_index
        ) as recency

    from corrections

    inner join name_keys as aliases on corrections.requested_name = aliases.name

    left join name_keys as targets on corrections.artist_name = targets.name

),

latest as (

    select
        alias_key,
        target_key

    from ranked

    where recency = 1

),

other_targets as (

    select
        ranked.alias_key,
        max(ranked.load_id) as other_load_id

    from ranked

    inner join latest on ranked.alias_key = latest.alias_key

    where ranked.target_key <> latest.target_key

    group by ranked.alias_key

),

-- The load that brought the target of today: the first one after the last other target.
final as (

    select
        latest.alias_key,
        latest.target_key,
        coalesce(
            min(ranked.load_id) filter (
                where ranked.load_id > coalesce(other_targets.other_load_id, 0)
            ),
            max(other_targets.other_load_id)
        ) as since_load_id,
        max(coalesce(other_targets.other_load_id, 0)) > 0 as has_changed

    from latest

    inner join ranked
        on
            latest.alias_key = ranked.alias_key
            and latest.target_key = ranked.target_key

    left join other_targets on latest.alias_key = other_targets.alias_key

    group by latest.alias_key, latest.target_key

)

select * from final
