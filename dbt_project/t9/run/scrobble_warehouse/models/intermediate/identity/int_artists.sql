drop table if exists "new"."intermediate"."int_artists" cascade;

    

    create  table
      "new"."intermediate"."int_artists"
  
    
    as (
      -- One row per artist that was ever answered, after last.fm's corrections.
with

spellings as (

    select * from "new"."staging"."stg_lastfm__artist_spellings"

),

-- The artist's own spelling, as last.fm answered it about the artist, and the newest.
ranked_names as (

    select
        artist_id,
        artist_name,
        name_key,
        row_number() over (
            partition by artist_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(artist_name),
                artist_mbid
        ) as choice

    from spellings

),

ranked_mbids as (

    select
        artist_id,
        artist_mbid,
        row_number() over (
            partition by artist_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(artist_mbid),
                md5(artist_name)
        ) as choice

    from spellings

    where artist_mbid <> ''

),

spelled as (

    select
        artist_id,
        cast(count(distinct artist_name) as bigint) as spellings,
        min(first_seen_date) as first_seen_date

    from spellings

    group by artist_id

),

final as (

    select
        spelled.artist_id,
        ranked_names.artist_name,
        ranked_names.name_key,
        ranked_mbids.artist_mbid,
        spelled.spellings,
        spelled.first_seen_date

    from spelled

    inner join ranked_names
        on spelled.artist_id = ranked_names.artist_id and ranked_names.choice = 1

    left join ranked_mbids
        on spelled.artist_id = ranked_mbids.artist_id and ranked_mbids.choice = 1

)

select * from final
    );
    
  