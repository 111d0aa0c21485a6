drop view if exists "new"."staging"."stg_lastfm__artist_infos" cascade;

  
  create view "new"."staging"."stg_lastfm__artist_infos" as (
    -- One row per artist.getInfo answer.
with

source as (

    select * from "new"."raw"."lastfm__artist_infos"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        names.artist_id,
        source.requested_name,
        source.artist_name,
        nullif(source.artist_mbid, '') as artist_mbid,
        source.listeners,
        source.playcount,
        source.as_of_date,
        source.fetched_at,
        names.is_artist_alias,
        greatest(source.load_id, names.identity_load_id) as touched_load_id

    from source

    left join names on source.artist_name = names.name

)

select * from final
  );
