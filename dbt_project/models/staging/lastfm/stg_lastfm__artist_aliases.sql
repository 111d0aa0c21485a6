-- One row per artist name key that last.fm has corrected to another artist.
with

aliases as (

    select * from {{ ref('base_lastfm__artist_aliases') }}

),

final as (

    select
        alias_artist_id,
        artist_id,
        alias_key,
        artist_key,
        is_alias,
        identity_load_id

    from aliases

)

select * from final
