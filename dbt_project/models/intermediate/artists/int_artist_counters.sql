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

answered as (

    select
        artist_id,
        is_artist_alias,
        touched_load_id,
        0 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from infos

    where artist_id is not null

    union all

    select
        artist_id,
        is_artist_alias,
        touched_load_id,
        1 as kind,
        as_of_date,
        fetched_at,
        load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from chart

    where artist_id is not null

),

-- A day is touched by a new answer and by an artist who got another identity; all days
-- from there on are made anew.
touched as (

    select min(as_of_date) as first_date

    from answered
    {% if is_incremental() %}
    where touched_load_id > {{ built_through() }}
    {% endif %}

),

-- The artist's own counters before those of a name that is corrected to it.
ranked as (

    select
        answered.artist_id,
        answered.as_of_date as snapshot_date,
        answered.fetched_at as observed_at,
        answered.listeners,
        answered.playcount,
        max(answered.touched_load_id) over (
            partition by answered.artist_id, answered.as_of_date
        ) as touched_load_id,
        row_number() over (
            partition by answered.artist_id, answered.as_of_date
            order by
                answered.is_artist_alias,
                answered.kind,
                answered.fetched_at desc,
                answered.load_id desc,
                answered.call_id,
                answered.item_index
        ) as choice

    from answered

    inner join touched on answered.as_of_date >= touched.first_date

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
