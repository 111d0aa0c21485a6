-- One row per artist.getInfo answer.
with

source as (

    select * from {{ source('lastfm', 'artist_infos') }}

),

name_keys as (

    select * from {{ ref('stg_lastfm__name_keys') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        requested.name_key as requested_key,
        answered.name_key as answered_key,
        source.requested_name,
        source.artist_name,
        nullif(source.artist_mbid, '') as artist_mbid,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join name_keys as answered on source.artist_name = answered.name

    left join name_keys as requested on source.requested_name = requested.name

)

select * from final
