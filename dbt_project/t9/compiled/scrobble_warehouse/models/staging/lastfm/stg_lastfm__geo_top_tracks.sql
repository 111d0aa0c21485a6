-- One row per day, country and position of a country's track chart.
with

source as (

    select * from "new"."raw"."lastfm__geo_top_tracks"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

-- The last answer of a day wins; a call is asked again after a crash.
ranked as (

    select
        load_id,
        call_id,
        item_index,
        row_number() over (
            partition by as_of_date, country, position
            order by fetched_at desc, load_id desc, call_id desc, item_index desc
        ) as recency

    from source

),

latest as (

    select
        call_id,
        item_index

    from ranked

    where recency = 1

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        artist_names.artist_id,
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        source.country,
        source.position,
        case when track_names.name_key like '(blank name U+%' then track_names.name_key else source.track_name end as track_name,
        nullif(source.track_mbid, '') as track_mbid,
        case when artist_names.name_key like '(blank name U+%' then artist_names.name_key else source.artist_name end as artist_name,
        nullif(source.artist_mbid, '') as artist_mbid,
        nullif(source.duration_seconds, 0) as duration_seconds,
        source.listeners,
        source.as_of_date,
        source.fetched_at

    from source

    inner join latest
        on
            source.call_id = latest.call_id
            and source.item_index = latest.item_index

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

)

select * from final