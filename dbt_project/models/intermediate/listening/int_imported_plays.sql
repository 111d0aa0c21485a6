-- One row per imported play that no answer of last.fm and no better file tells of.
with

imports as (

    select * from {{ ref('int_import_rows') }}

),

starts as (

    select * from {{ ref('int_imported_starts') }}

),

answered as (

    select * from {{ ref('stg_lastfm__scrobbles') }}

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
{#- Whoever is each other's nearest is one play; what is left is asked again. As often
   as a track can be in a row within one window. -#}
{% set rounds = range(6) %}
{% for round in rounds %}

round_{{ round }} as (

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
            from {{ 'pairs' if loop.first else 'round_' ~ (round - 1) }}
        ) as nearest
    ) as judged

    where is_matched or not (is_import_taken or is_point_taken)

),
{%- endfor %}

matched as (

    select import_id from round_{{ rounds | last }}

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
        {{ from_uts('started_uts') }} as scrobbled_at,
        cast({{ from_uts('started_uts') }} as date) as scrobbled_date,
        load_id,
        fetched_at

    from new_plays

)

select * from final
