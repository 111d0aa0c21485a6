-- One row per user.getInfo answer.
with

source as (

    select * from {{ source('lastfm', 'user_infos') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        lower(source.listener_name) as listener_id,
        source.listener_name,
        -- last.fm says None where an account names no country.
        nullif(nullif(source.country, ''), 'None') as country,
        source.playcount,
        source.artists,
        source.tracks,
        source.albums,
        {{ from_uts('source.registered_uts') }} as registered_at,
        source.as_of_date,
        source.fetched_at

    from source

)

select * from final
