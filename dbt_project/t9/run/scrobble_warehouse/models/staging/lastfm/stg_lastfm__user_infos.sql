drop view if exists "new"."staging"."stg_lastfm__user_infos" cascade;

  
  create view "new"."staging"."stg_lastfm__user_infos" as (
    -- One row per user.getInfo answer.
with

source as (

    select * from "new"."raw"."lastfm__user_infos"

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
        source.listener_name,
        -- last.fm says None where an account names no country.
        nullif(nullif(source.country, ''), 'None') as country,
        country_names.name_key as country_key,
        source.playcount,
        source.artists,
        source.tracks,
        source.albums,
        case
        when source.registered_uts between 1 and 4102444799
            then make_timestamp(source.registered_uts * 1000000)
    end as registered_at,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as listener_names
        on source.listener_name = listener_names.name

    left join names as country_names
        on nullif(nullif(source.country, ''), 'None') = country_names.name

)

select * from final
  );
