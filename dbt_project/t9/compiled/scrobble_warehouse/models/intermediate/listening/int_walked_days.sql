-- One row per complete walk and, where it is short, UTC day that it goes through.
  -- read once, by the plays
with

walks as (

    select * from "new"."intermediate"."int_complete_walks"

),

-- Long walks are few and compared as they are; short ones are looked up by their days,
-- because every scrobble against every daily walk of its listener is quadratic.
final as (

    select
        walk_id,
        listener_id,
        walk_from_uts,
        walk_to_uts,
        first_fetched_at,
        cast(null as date) as walked_date

    from walks

    where walk_to_uts - walk_from_uts > 40 * 86400

    union all

    select
        walk_id,
        listener_id,
        walk_from_uts,
        walk_to_uts,
        first_fetched_at,
        cast(
        unnest(generate_series(cast(case
        when walk_from_uts between 1 and 4102444799
            then make_timestamp(walk_from_uts * 1000000)
    end as date), cast(case
        when walk_to_uts between 1 and 4102444799
            then make_timestamp(walk_to_uts * 1000000)
    end as date), interval '1 day'))
        as date
    ) as walked_date

    from walks

    where walk_to_uts - walk_from_uts <= 40 * 86400

)

select * from final