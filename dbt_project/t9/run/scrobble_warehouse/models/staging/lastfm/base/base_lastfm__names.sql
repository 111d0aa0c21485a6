drop table if exists "new"."staging"."base_lastfm__names" cascade;

    

    create  table
      "new"."staging"."base_lastfm__names"
  
    
    as (
      -- One row per spelling of an artist, track, album or tag that was ever answered.
with

name_keys as (

    select * from "new"."raw"."lastfm__name_keys"

),

aliases as (

    select * from "new"."staging"."base_lastfm__artist_aliases"

),

final as (

    select
        name_keys.name,
        name_keys.name_key,
        coalesce(aliases.artist_key, name_keys.name_key) as artist_key,
        coalesce(
            aliases.artist_id, md5(name_keys.name_key)
        ) as artist_id,
        coalesce(aliases.is_alias, false) as is_artist_alias,
        coalesce(aliases.identity_load_id, 0) as identity_load_id

    from name_keys

    left join aliases on name_keys.name_key = aliases.alias_key

)

select * from final
    );
    
  