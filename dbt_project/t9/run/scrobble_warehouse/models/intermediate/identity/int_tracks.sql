drop table if exists "new"."intermediate"."int_tracks" cascade;

    

    create  table
      "new"."intermediate"."int_tracks"
  
    
    as (
      -- One row per track that was ever answered, after last.fm's corrections of artists.
with

spellings as (

    select * from "new"."staging"."stg_lastfm__track_spellings"

),

artists as (

    select * from "new"."intermediate"."int_artists"

),

ranked_names as (

    select
        track_id,
        artist_id,
        track_name,
        name_key,
        row_number() over (
            partition by track_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(track_name),
                track_mbid
        ) as choice

    from spellings

),

ranked_mbids as (

    select
        track_id,
        track_mbid,
        row_number() over (
            partition by track_id
            order by
                is_artist_alias,
                is_official desc,
                largest_playcount desc nulls last,
                last_seen_date desc,
                md5(track_mbid),
                md5(track_name)
        ) as choice

    from spellings

    where track_mbid <> ''

),

final as (

    select
        ranked_names.track_id,
        ranked_names.track_name,
        ranked_names.name_key,
        ranked_names.artist_id,
        artists.artist_name,
        ranked_mbids.track_mbid

    from ranked_names

    left join artists on ranked_names.artist_id = artists.artist_id

    left join ranked_mbids
        on ranked_names.track_id = ranked_mbids.track_id and ranked_mbids.choice = 1

    where ranked_names.choice = 1

)

select * from final
    );
    
  