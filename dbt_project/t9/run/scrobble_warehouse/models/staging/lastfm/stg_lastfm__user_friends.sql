drop view if exists "new"."staging"."stg_lastfm__user_friends" cascade;

  
  create view "new"."staging"."stg_lastfm__user_friends" as (
    -- One row per friend in a user.getFriends answer.
with

source as (

    select * from "new"."raw"."lastfm__user_friends"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        listener_names.name_key as listener_id,
        friend_names.name_key as friend_id,
        source.listener_name,
        source.friend_name,
        -- last.fm says None where an account names no country.
        nullif(nullif(source.country, ''), 'None') as country,
        case
        when source.registered_uts between 1 and 4102444799
            then make_timestamp(source.registered_uts * 1000000)
    end as registered_at,
        source.playcount,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as listener_names
        on source.listener_name = listener_names.name

    left join names as friend_names on source.friend_name = friend_names.name

)

select * from final
  );
