-- One row per call that answered a page of a walk through a listener's recent tracks.
with

source as (

    select * from "new"."raw"."lastfm__scrobble_walks"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

-- A page loaded a second time, by a replay, is the same page.
ranked as (

    select
        load_id,
        call_id,
        walk_id,
        listener_name,
        walk_from_uts,
        walk_to_uts,
        pages,
        page,
        total,
        as_of_date,
        fetched_at,
        row_number() over (
            partition by call_id
            order by fetched_at desc, load_id desc, item_index desc, page, walk_id
        ) as recency

    from source

),

final as (

    select
        ranked.load_id,
        ranked.call_id,
        ranked.walk_id,
        names.name_key as listener_id,
        ranked.walk_from_uts,
        ranked.walk_to_uts,
        ranked.pages,
        ranked.page,
        ranked.total,
        ranked.as_of_date,
        ranked.fetched_at

    from ranked

    left join names on ranked.listener_name = names.name

    where ranked.recency = 1

)

select * from final