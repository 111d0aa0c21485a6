-- One row per artist and UTC day of a snapshot, with its share of the day's attention.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='flow_date',
        indexes=postgres_indexes([['flow_date']]),
    )
}}
{%- set value = var('value') %}
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

own_plays as (

    select * from {{ ref('int_own_plays') }}

),

-- A restated day changes the flows of the days after it.
touched as (

    select min(snapshot_date) as first_date

    from snapshots
    {% if is_incremental() %}
    where touched_load_id > {{ built_through() }}
    {% endif %}

),

-- What players play of their own holdings does not make them dearer.
flows as (

    select
        snapshots.artist_id,
        snapshots.snapshot_date as flow_date,
        snapshots.listeners,
        snapshots.playcount,
        snapshots.new_listeners_per_day,
        case
            when own_plays.own_plays_per_day is null then snapshots.plays_per_day
            else greatest(snapshots.plays_per_day - own_plays.own_plays_per_day, 0)
        end as plays_per_day,
        snapshots.new_listeners_per_day is not null
        and snapshots.plays_per_day is not null as is_observed

    from snapshots

    inner join touched on snapshots.snapshot_date >= touched.first_date

    left join own_plays
        on
            snapshots.artist_id = own_plays.artist_id
            and snapshots.snapshot_date = own_plays.snapshot_date

),

-- Sums of exact numbers: they do not depend on the order of adding.
totals as (

    select
        flow_date,
        cast(count(*) as double precision) as artists,
        cast(
            sum(cast(new_listeners_per_day as numeric(24, 6))) as double precision
        ) as new_listeners_per_day,
        cast(
            sum(cast(plays_per_day as numeric(24, 6))) as double precision
        ) as plays_per_day

    from flows

    where is_observed

    group by flow_date

),

final as (

    select
        flows.artist_id,
        flows.flow_date,
        flows.listeners,
        flows.playcount,
        flows.new_listeners_per_day,
        flows.plays_per_day,
        flows.is_observed,
        case
            when flows.is_observed
                then
                    {{ value.listener_weight }} * ln(
                        (flows.new_listeners_per_day + {{ value.pseudo_count }})
                        / (
                            totals.new_listeners_per_day
                            + {{ value.pseudo_count }} * totals.artists
                        )
                    )
                    + (1 - {{ value.listener_weight }}) * ln(
                        (flows.plays_per_day + {{ value.pseudo_count }})
                        / (
                            totals.plays_per_day
                            + {{ value.pseudo_count }} * totals.artists
                        )
                    )
        end as log_share

    from flows

    left join totals on flows.flow_date = totals.flow_date

)

select * from final
