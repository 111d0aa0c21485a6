-- One row per build, with the first UTC day whose flows the new loads change.
--
-- The flows of all days from there on are made anew.
with

snapshots as (

    select * from {{ ref('int_artist_snapshots') }}

),

holdings as (

    select * from {{ ref('stg_exchange__holdings') }}

),

scrobbles as (

    select * from {{ ref('stg_lastfm__scrobbles') }}

),

days as (

    select min(snapshot_date) as touched_date

    from snapshots
    {% if is_partial_build() %}
    where touched_load_id > {{ built_through() }}

    union all

    select {{ add_days('min(held_date)', 1) }} as touched_date

    from holdings

    where load_id > {{ built_through() }}
    {% endif %}
    {% if is_corrected() %}
    -- What a player played before the correction is another artist's now, also where
    -- the name had no counters.
    union all

    select min(scrobbled_date) as touched_date

    from scrobbles

    where
        identity_load_id > {{ built_through() }}
        and load_id <= {{ built_through() }}
        and listener_id in (select holdings.listener_id from holdings)
        and scrobbled_date
        >= (select {{ add_days('min(holdings.held_date)', -1) }} from holdings)
    {% endif %}
),

final as (

    select min(touched_date) as first_date

    from days

)

select * from final
