-- One row per artist and UTC day on which last.fm's counters were answered.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='snapshot_date',
        indexes=postgres_indexes([['snapshot_date']]),
    )
}}
with

infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }}

),

chart as (

    select * from {{ ref('stg_lastfm__chart_top_artists') }}

),

names as (

    select * from {{ ref('int_names') }}

),

answered as (

    select
        artist_name,
        0 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from infos

    union all

    select
        artist_name,
        1 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from chart

),

identified as (

    select
        names.artist_id,
        names.is_artist_alias,
        answered.kind,
        answered.as_of_date,
        answered.fetched_at,
        answered.load_id,
        answered.call_id,
        answered.item_index,
        answered.listeners,
        answered.playcount,
        greatest(answered.load_id, names.identity_load_id) as touched_load_id

    from answered

    inner join names on answered.artist_name = names.name

),

-- A day is touched by a new answer and by an artist who got another identity; all days
-- from there on are made anew.
touched as (

    select min(as_of_date) as first_date

    from identified
    {% if is_incremental() %}
    where touched_load_id > {{ built_through() }}
    {% endif %}

),

-- The artist's own counters before those of a name that is corrected to it.
ranked as (

    select
        identified.artist_id,
        identified.as_of_date as snapshot_date,
        identified.fetched_at as observed_at,
        identified.listeners,
        identified.playcount,
        max(identified.touched_load_id) over (
            partition by identified.artist_id, identified.as_of_date
        ) as touched_load_id,
        row_number() over (
            partition by identified.artist_id, identified.as_of_date
            order by
                identified.is_artist_alias,
                identified.kind,
                identified.fetched_at desc,
                identified.load_id desc,
                identified.call_id,
                identified.item_index
        ) as choice

    from identified

    inner join touched on identified.as_of_date >= touched.first_date

),

-- A day asked for on a later one is back-filled: its time of day says nothing.
final as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        cast(observed_at as date) = snapshot_date as is_live,
        listeners,
        playcount,
        touched_load_id

    from ranked

    where choice = 1

)

select * from final
