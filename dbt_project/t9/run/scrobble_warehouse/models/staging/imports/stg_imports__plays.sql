drop view if exists "new"."staging"."stg_imports__plays" cascade;

  
  create view "new"."staging"."stg_imports__plays" as (
    -- One row per play that a listener brought: in two files, or answers, it stands twice.
--
-- Files are judged when they are imported. What a provider answers lands as it came, so
-- the same rules stand here: heard for thirty seconds and no more than a day, in a
-- time that can be. The day bounds how many others an end is held against.
with

source as (

    select * from "new"."raw"."imports__plays"

),

names as (

    select * from "new"."staging"."base_lastfm__names"

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        source.file,
        source.format,
        source.line,
        md5(listener_names.name_key || chr(31) || cast(source.started_uts as TEXT) || chr(31) || artist_names.name_key || chr(31) || track_names.name_key) as scrobble_id,
        md5(replace(replace(replace(artist_names.artist_key, ',', ''), '"', ''), ' ', '') || chr(31) || replace(replace(replace(track_names.name_key, ',', ''), '"', ''), ' ', '')) as match_key,
        listener_names.name_key as listener_id,
        artist_names.artist_id,
        md5(artist_names.artist_key || chr(31) || track_names.name_key) as track_id,
        md5(artist_names.artist_key || chr(31) || album_names.name_key) as album_id,
        source.listener_name,
        source.artist_name,
        source.track_name,
        source.album_name,
        source.stamp,
        source.stamped_uts,
        source.started_uts,
        source.played_ms,
        source.copy,
        source.as_of_date,
        source.fetched_at

    from source

    left join names as listener_names
        on source.listener_name = listener_names.name

    left join names as artist_names on source.artist_name = artist_names.name

    left join names as track_names on source.track_name = track_names.name

    left join names as album_names on source.album_name = album_names.name

    where
        coalesce(source.played_ms, 30000) between 30000 and 86400000
        and source.stamped_uts >= 1033430400
        and source.started_uts >= 1033430400
        and case
        when source.stamped_uts between 1 and 4102444799
            then make_timestamp(source.stamped_uts * 1000000)
    end
        <= source.fetched_at + interval '1 hour'
        and coalesce(artist_names.name_key, '') not in ('<untagged>', '<unknown>')
        and coalesce(track_names.name_key, '') not in ('<untagged>', '<unknown>')

)

select * from final
  );
