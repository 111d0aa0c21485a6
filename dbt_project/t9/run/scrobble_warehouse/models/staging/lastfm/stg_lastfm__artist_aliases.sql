drop view if exists "new"."staging"."stg_lastfm__artist_aliases" cascade;

  
  create view "new"."staging"."stg_lastfm__artist_aliases" as (
    -- One row per artist name key that was corrected to another artist at some time.
with

aliases as (

    select * from "new"."staging"."base_lastfm__artist_aliases"

),

final as (

    select
        alias_artist_id,
        artist_id,
        alias_key,
        artist_key,
        is_alias,
        is_decided,
        identity_load_id

    from aliases

)

select * from final
  );
