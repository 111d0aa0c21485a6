-- One row per answered page of a walk through a listener's recent tracks.
with

walk_pages as (

    select * from "new"."staging"."base_lastfm__scrobble_walk_pages"

),

final as (

    select
        load_id,
        call_id,
        walk_id,
        listener_id,
        walk_from_uts,
        walk_to_uts,
        pages,
        page,
        total,
        as_of_date,
        fetched_at

    from walk_pages

)

select * from final