-- One row per walk through a listener's recent tracks.
with

pages as (

    select * from "new"."staging"."base_lastfm__scrobble_walk_pages"

),

final as (

    select
        walk_id,
        listener_id,
        max(load_id) as load_id,
        min(walk_from_uts) as walk_from_uts,
        max(walk_to_uts) as walk_to_uts,
        max(pages) as pages,
        cast(count(distinct page) as integer) as answered_pages,
        max(total) as total,
        coalesce(
            count(distinct page) = max(pages)
            and min(page) = 1
            and max(page) = max(pages)
            and min(pages) = max(pages)
            and min(total) = max(total)
            and count(total) = count(*)
            and min(walk_from_uts) = max(walk_from_uts)
            and min(walk_to_uts) = max(walk_to_uts),
            false
        ) as is_complete,
        max(as_of_date) as as_of_date,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at

    from pages

    group by walk_id, listener_id

)

select * from final