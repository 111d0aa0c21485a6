-- One row per artist name that stands for another artist.
with

aliases as (

    select * from "new"."staging"."stg_lastfm__artist_aliases"

),

spellings as (

    select * from "new"."staging"."stg_lastfm__artist_spellings"

),

-- Of several spellings of one alias the one answered last; equal ones by hash, as text
-- order differs by collation.
ranked as (

    select
        name_key,
        artist_name,
        row_number() over (
            partition by name_key
            order by last_seen_date desc, md5(artist_name)
        ) as choice

    from spellings

    where is_artist_alias

),

final as (

    select
        aliases.alias_artist_id,
        coalesce(ranked.artist_name, aliases.alias_key) as alias_name,
        aliases.artist_id,
        case
            when aliases.is_decided then 'administrator' else 'last.fm'
        end as decided_by

    from aliases

    left join ranked on aliases.alias_key = ranked.name_key and ranked.choice = 1

    where aliases.is_alias

)

select * from final