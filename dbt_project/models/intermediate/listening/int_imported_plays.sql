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
{%- set before = 'pairs' if loop.first else 'free_' ~ (round - 1) %}

free_{{ round }} as (

    select * from {{ before }}
    {%- if not loop.first %}

    where
        not exists (
            select 1 from matched_{{ round - 1 }} as matched
            where matched.import_id = {{ before }}.import_id
        )
        and not exists (
            select 1 from matched_{{ round - 1 }} as matched
            where matched.point = {{ before }}.point
        )
    {%- endif %}

),

matched_{{ round }} as (

    select
        import_id,
        point

    from (
        select
            import_id,
            point,
            row_number() over (
                partition by import_id order by seconds_apart, from_uts, point
            ) as of_import,
            row_number() over (
                partition by point order by seconds_apart, started_uts, import_id
            ) as of_point

        from free_{{ round }}
    ) as nearest

    where of_import = 1 and of_point = 1

),
{%- endfor %}

matched as (
    {%- for round in rounds %}

    select import_id from matched_{{ round }}
    {{- '\n\n    union all' if not loop.last }}
    {%- endfor %}

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
