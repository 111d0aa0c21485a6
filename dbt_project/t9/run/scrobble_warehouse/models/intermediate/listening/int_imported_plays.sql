drop table if exists "new"."intermediate"."int_imported_plays" cascade;

    

    create  table
      "new"."intermediate"."int_imported_plays"
  
    
    as (
      -- One row per imported play that no answer of last.fm and no better file tells of.
with

imports as (

    select * from "new"."intermediate"."int_import_rows"

),

starts as (

    select * from "new"."intermediate"."int_imported_starts"

),

answered as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

    where
        listener_id in (
            select imports.listener_id from imports
            where imports.stamp in ('end', 'end minute')
        )

),

points as (

    select
        *,
        row_number() over (
            order by listener_id, match_key, from_uts, to_uts
        ) as point

    from (
        select distinct
            listener_id,
            match_key,
            scrobbled_uts as from_uts,
            scrobbled_uts as to_uts

        from answered

        union all

        select
            listener_id,
            match_key,
            from_uts,
            to_uts

        from starts
    ) as both_sources

),

-- An end, and the starts from which it can have come.
pairs as (

    select
        imports.import_id,
        imports.started_uts,
        points.point,
        points.from_uts,
        greatest(
            points.from_uts - imports.started_uts,
            imports.started_uts - points.to_uts,
            0
        ) as seconds_apart

    from imports

    inner join points
        on
            imports.listener_id = points.listener_id
            and imports.match_key = points.match_key
            and points.from_uts <= imports.to_uts
            and points.to_uts >= imports.from_uts

    where imports.stamp in ('end', 'end minute')

),


round_0 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from pairs
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

round_1 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from round_0
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

round_2 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from round_1
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

round_3 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from round_2
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

round_4 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from round_3
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

round_5 as (

    select
        import_id,
        started_uts,
        point,
        from_uts,
        seconds_apart,
        is_matched

    from (
        select
            *,
            bool_or(is_matched) over (partition by import_id) as is_import_taken,
            bool_or(is_matched) over (partition by point) as is_point_taken
        from (
            select
                import_id,
                started_uts,
                point,
                from_uts,
                seconds_apart,
                row_number() over (
                    partition by import_id order by seconds_apart, from_uts, point
                ) = 1
                and row_number() over (
                    partition by point order by seconds_apart, started_uts, import_id
                ) = 1 as is_matched
            from round_4
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),

matched as (

    select import_id from round_5

    where is_matched

),

new_ends as (

    select * from imports

    where
        stamp in ('end', 'end minute')
        and not exists (
            select 1 from matched
            where matched.import_id = imports.import_id
        )

),

new_plays as (

    select * from starts

    union all

    select * from new_ends

),

final as (

    select
        case when stamp = 'second' then scrobble_id else import_id end as scrobble_id,
        listener_id,
        artist_id,
        track_id,
        album_id,
        artist_name,
        track_name,
        album_name,
        started_uts as scrobbled_uts,
        case
        when started_uts between 1 and 4102444799
            then make_timestamp(started_uts * 1000000)
    end as scrobbled_at,
        cast(case
        when started_uts between 1 and 4102444799
            then make_timestamp(started_uts * 1000000)
    end as date) as scrobbled_date,
        load_id,
        fetched_at

    from new_plays

)

select * from final
    );
    
  