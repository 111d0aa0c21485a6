drop table if exists "new"."intermediate"."int_albums" cascade;

    

    create  table
      "new"."intermediate"."int_albums"
  
    
    as (
      -- One row per album that was ever answered, after last.fm's corrections of artists.
with

spellings as (

    select * from "new"."staging"."stg_lastfm__album_spellings"

),

artists as (

    select * from "new"."intermediate"."int_artists"

),

ranked_names as (

    select
        album_id,
        artist_id,
        album_name,
        name_key,
        row_number() over (
            partition by album_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(album_name),
                album_mbid
        ) as choice

    from spellings

),

ranked_mbids as (

    select
        album_id,
        album_mbid,
        row_number() over (
            partition by album_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(album_mbid),
                md5(album_name)
        ) as choice

    from spellings

    where album_mbid <> ''

),

final as (

    select
        ranked_names.album_id,
        ranked_names.album_name,
        ranked_names.name_key,
        ranked_names.artist_id,
        artists.artist_name,
        ranked_mbids.album_mbid

    from ranked_names

    left join artists on ranked_names.artist_id = artists.artist_id

    left join ranked_mbids
        on ranked_names.album_id = ranked_mbids.album_id and ranked_mbids.choice = 1

    where ranked_names.choice = 1

)

select * from final
    );
    
  