-- One row per listener and artist of the tags that the listener plays most.

with

listeners as (

    select * from "new"."intermediate"."int_listeners"

),

libraries as (

    select * from "new"."intermediate"."int_listener_libraries"

),

artist_tags as (

    select * from "new"."intermediate"."int_artist_tags"

),

main_tags as (

    select * from "new"."intermediate"."int_artist_main_tags"

),

flagged_days as (

    select * from "new"."intermediate"."int_flagged_days"

),

-- Who has played nothing yet begins with the tags of the whole panel, less the flagged.
tag_plays as (

    select
        libraries.listener_id,
        main_tags.tag_id,
        cast(sum(libraries.plays) as bigint) as plays

    from libraries

    inner join main_tags on libraries.artist_id = main_tags.artist_id

    group by libraries.listener_id, main_tags.tag_id

),

panel_tag_plays as (

    select
        tag_id,
        cast(sum(plays) as bigint) as plays

    from tag_plays

    where
        not exists (
            select 1 from flagged_days
            where flagged_days.listener_id = tag_plays.listener_id
        )

    group by tag_id

),

with_newcomers as (

    select
        listener_id,
        tag_id,
        plays,
        false as is_of_panel

    from tag_plays

    union all

    select
        listeners.listener_id,
        panel_tag_plays.tag_id,
        panel_tag_plays.plays,
        true as is_of_panel

    from listeners

    cross join panel_tag_plays

    where
        not exists (
            select 1 from tag_plays
            where tag_plays.listener_id = listeners.listener_id
        )

),

own_tags as (

    select
        listener_id,
        tag_id,
        plays,
        is_of_panel,
        row_number() over (
            partition by listener_id order by plays desc, tag_id
        ) as place

    from with_newcomers

),

tag_artists as (

    select
        tag_id,
        artist_id,
        weight,
        row_number() over (
            partition by tag_id order by weight desc, rank, artist_id
        ) as place

    from artist_tags

    where weight > 0

),

tagged as (

    select
        own_tags.listener_id,
        tag_artists.artist_id,
        own_tags.tag_id,
        own_tags.is_of_panel,
        own_tags.plays * tag_artists.weight as points,
        row_number() over (
            partition by own_tags.listener_id, tag_artists.artist_id
            order by own_tags.plays * tag_artists.weight desc, own_tags.tag_id
        ) as loudness

    from own_tags

    inner join tag_artists on own_tags.tag_id = tag_artists.tag_id

    where
        own_tags.place <= 5
        and tag_artists.place <= 30

),

final as (

    select
        listener_id,
        artist_id,
        cast(sum(points) as bigint) as points,
        max(case when loudness = 1 then tag_id end) as tag_id,
        max(case when is_of_panel then 1 else 0 end) as is_of_panel

    from tagged

    group by listener_id, artist_id

)

select * from final