-- One row per artist in a listener's chart of a week.
with

source as (

    select * from {{ source('lastfm', 'user_weekly_artists') }}

),

names as (

    select * from {{ ref('int_names') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        lower(source.listener_name) as listener_id,
        artist_names.artist_id as artist_id,
        source.listener_name,
        {{ from_uts('source.from_uts') }} as week_from_at,
        {{ from_uts('source.to_uts') }} as week_to_at,
        source.position,
        source.artist_name,
        nullif(source.mbid, '') as artist_mbid,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as artist_names on source.artist_name = artist_names.name

)

select * from final
