-- One row per spelling of a tag.

with

answered as (
    select
        tag_name as tag_name,
        as_of_date,
        True as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__chart_top_tags"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__tag_top_artists"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__tag_top_tracks"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__artist_top_tags"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__album_tags"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__track_tags"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_top_tags"
    union all
    select
        tag_name as tag_name,
        as_of_date,
        False as is_official,
        cast(null as bigint) as playcount
    from "new"."raw"."lastfm__user_personal_tags"

),

merged as (

    select
        tag_name,
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        bool_or(is_official) as is_official,
        max(playcount) as largest_playcount

    from answered

    where tag_name is not null

    group by tag_name

),

final as (

    select
        merged.tag_name,
        merged.first_seen_date,
        merged.last_seen_date,
        merged.is_official,
        merged.largest_playcount

    from merged

)

select * from final
