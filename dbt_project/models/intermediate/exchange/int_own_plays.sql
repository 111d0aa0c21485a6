-- One row per artist and snapshot with plays by players who held the artist's shares.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_before_insert(
            'snapshot_date >= (select first_date from '
            ~ ref('int_touched_flows') ~ ')'
        ) }}"
    )
}}

with

holdings as (

    select * from {{ ref('stg_exchange__holdings') }}

),

touched as (

    select * from {{ ref('int_touched_flows') }}

),

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}
    {% if is_partial_build() %}
        where snapshot_date >= (select touched.first_date from touched)
    {% endif %}

),

scrobbles as (

    select * from {{ ref('stg_lastfm__scrobbles') }}

),

closes as (

    select
        held_date,
        lead(held_date) over (order by held_date) as next_held_date

    from holdings

    group by held_date

),

-- The flows that began at a close, once for each holder.
held_flows as (

    select
        holdings.listener_id,
        holdings.artist_id,
        holdings.load_id,
        snapshots.snapshot_date,
        snapshots.observed_at,
        snapshots.days_since_previous,
        snapshots.hours_since_previous * 3600 as seconds

    from holdings

    inner join closes on holdings.held_date = closes.held_date

    inner join snapshots
        on
            holdings.artist_id = snapshots.artist_id
            and holdings.held_date < snapshots.snapshot_date
            and coalesce(closes.next_held_date, snapshots.snapshot_date)
            >= snapshots.snapshot_date
            and snapshots.days_since_previous
            >= {{ days_between('holdings.held_date', 'snapshots.snapshot_date') }}

    where snapshots.plays_per_day is not null

),

-- What a later load brings changes no past value. A snapshot asked for on a later day
-- is of the whole day.
played as (

    select
        held_flows.artist_id,
        held_flows.snapshot_date,
        held_flows.load_id,
        held_flows.seconds,
        scrobbles.scrobble_id

    from held_flows

    inner join scrobbles
        on
            held_flows.listener_id = scrobbles.listener_id
            and held_flows.artist_id = scrobbles.artist_id
            and held_flows.load_id >= scrobbles.load_id

    where
        case
            when cast(held_flows.observed_at as date) = held_flows.snapshot_date
                then
                    {{ seconds_between(
                        'scrobbles.scrobbled_at', 'held_flows.observed_at'
                    ) }} >= 0
                    and {{ seconds_between(
                        'scrobbles.scrobbled_at', 'held_flows.observed_at'
                    ) }} < held_flows.seconds
            else
                {{ days_between(
                    'scrobbles.scrobbled_date', 'held_flows.snapshot_date'
                ) }} >= 0
                and {{ days_between(
                    'scrobbles.scrobbled_date', 'held_flows.snapshot_date'
                ) }} < held_flows.days_since_previous
        end
        and scrobbles.scrobbled_date
        >= (select {{ add_days('min(holdings.held_date)', -1) }} from holdings)

),

final as (

    select
        artist_id,
        snapshot_date,
        max(load_id) as load_id,
        cast(count(distinct scrobble_id) as bigint) as own_scrobbles,
        {{
            per_day(
                'cast(count(distinct scrobble_id) as bigint)',
                'cast(floor(max(seconds)) as bigint)',
            )
        }} as own_plays_per_day

    from played

    group by artist_id, snapshot_date

)

select * from final
