drop table if exists "new"."staging"."base_lastfm__artist_redirects" cascade;

    

    create  table
      "new"."staging"."base_lastfm__artist_redirects"
  
    
    as (
      -- One row per artist name key that was corrected, with the right key.
with

answers as (

    select * from "new"."raw"."lastfm__artist_corrections"

),

decisions as (

    select * from "new"."raw"."corrections__artists"

),

name_keys as (

    select * from "new"."raw"."lastfm__name_keys"

),

-- artist.getCorrection alone says that two names are one artist. That artist.getInfo
-- answers under another name does not: it may have read the name wrong.
corrections as (

    select
        requested_name,
        artist_name,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        false as is_decided

    from answers

    union all

    select
        requested_name,
        artist_name,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        true as is_decided

    from decisions

),

keyed as (

    select
        aliases.name_key as alias_key,
        targets.name_key as target_key,
        corrections.*,
        bool_or(corrections.is_decided) over (
            partition by aliases.name_key
        ) as has_decision

    from corrections

    inner join name_keys as aliases on corrections.requested_name = aliases.name

    left join name_keys as targets on corrections.artist_name = targets.name

),

-- What an administrator decided about a name stands, whatever last.fm answers.
ranked as (

    select
        alias_key,
        target_key,
        load_id,
        is_decided,
        row_number() over (
            partition by alias_key
            order by
                as_of_date desc,
                fetched_at desc,
                load_id desc,
                call_id,
                item_index
        ) as recency

    from keyed

    where is_decided = has_decision

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
        max(coalesce(other_targets.other_load_id, 0)) > 0
        or bool_or(ranked.is_decided) as has_changed,
        bool_or(ranked.is_decided) as is_decided

    from latest

    inner join ranked
        on
            latest.alias_key = ranked.alias_key
            and latest.target_key = ranked.target_key

    left join other_targets on latest.alias_key = other_targets.alias_key

    group by latest.alias_key, latest.target_key

)

select * from final
    );
    
  