-- One row per friend in a user.getFriends answer.
with

source as (

    select * from {{ source('lastfm', 'user_friends') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        lower(source.listener_name) as listener_id,
        lower(source.friend_name) as friend_id,
        source.listener_name,
        source.friend_name,
        -- last.fm says None where an account names no country.
        nullif(nullif(source.country, ''), 'None') as country,
        {{ from_uts('source.registered_uts') }} as registered_at,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

)

select * from final
