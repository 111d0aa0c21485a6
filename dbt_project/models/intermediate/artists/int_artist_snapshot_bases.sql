-- One row per artist and UTC day of a snapshot, with the snapshots it is compared with.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='snapshot_date',
        indexes=postgres_indexes([['artist_id', 'snapshot_date'], ['snapshot_date']]),
    )
}}
{%- set snapshot = var('snapshot') %}
{%- set context_days = 10 + 2 * snapshot.longest_gap_days
    + snapshot.longest_stall_days %}
with

counters as (

    select * from {{ ref('int_artist_counters') }}

),

touched as (

    select
        min(snapshot_date) as first_date,
        {{ add_days('min(snapshot_date)', -context_days) }} as context_date

    from counters
    {% if is_incremental() %}
    where touched_load_id > {{ built_through() }}
    {% endif %}

),

-- Where the context of an artist with a long gap begins: at the last snapshot before.
gaps as (

    select
        counters.artist_id,
        max(counters.snapshot_date) as context_date

    from counters

    inner join touched on counters.snapshot_date < touched.context_date

    group by counters.artist_id

),

compared as (

    select
        counters.artist_id,
        counters.snapshot_date,
        counters.observed_at,
        counters.is_live,
        counters.listeners,
        counters.playcount,
        counters.touched_load_id,
        lag(counters.snapshot_date) over series as previous_date,
        lag(counters.observed_at) over series as previous_observed_at,
        lag(counters.is_live) over series as previous_is_live,
        counters.listeners - lag(counters.listeners) over series as listeners_change,
        counters.playcount - lag(counters.playcount) over series as playcount_change,
        -- Plays a day in the weeks before; null on the first snapshot.
        {{
            ratio(
                'counters.playcount - first_value(counters.playcount) over weeks',
                days_between(
                    'first_value(counters.snapshot_date) over weeks',
                    'counters.snapshot_date',
                ),
            )
        }} as expected_plays

    from counters

    cross join touched

    left join gaps on counters.artist_id = gaps.artist_id

    where
        counters.snapshot_date >= coalesce(gaps.context_date, touched.context_date)

    window
        series as (partition by counters.artist_id order by counters.snapshot_date),
        weeks as (
            partition by counters.artist_id
            order by counters.snapshot_date
            range between
            interval '{{ snapshot.trailing_days }} days' preceding and current row
        )

),

-- A run is a snapshot and those after it that repeat its counters.
numbered as (

    select
        artist_id,
        snapshot_date,
        expected_plays,
        sum(
            case when listeners_change = 0 and playcount_change = 0 then 0 else 1 end
        ) over (partition by artist_id order by snapshot_date) as run

    from compared

),

runs as (

    select
        artist_id,
        snapshot_date,
        first_value(snapshot_date) over repeats as run_date,
        first_value(expected_plays) over repeats as expected_plays

    from numbered

    window repeats as (partition by artist_id, run order by snapshot_date)

),

-- After some days without a move, and where hardly a play was to be expected, the
-- counters are taken at their word.
stalls as (

    select
        artist_id,
        snapshot_date,
        run_date,
        run_date < snapshot_date
        and {{ days_between('run_date', 'snapshot_date') }}
        <= {{ snapshot.longest_stall_days }}
        and coalesce(
            expected_plays * {{ days_between('run_date', 'snapshot_date') }}
            >= {{ snapshot.stall_least_plays }},
            true
        ) as is_stalled

    from runs

),

-- A stalled answer repeats an old one: the flow after it starts at the old one's time.
bases as (

    select
        artist_id,
        snapshot_date,
        is_stalled,
        lag(case when is_stalled then run_date else snapshot_date end) over (
            partition by artist_id order by snapshot_date
        ) as base_date

    from stalls

),

final as (

    select
        compared.artist_id,
        compared.snapshot_date,
        compared.observed_at,
        compared.is_live,
        compared.listeners,
        compared.playcount,
        compared.touched_load_id,
        compared.listeners_change,
        compared.playcount_change,
        compared.previous_date,
        compared.previous_observed_at,
        compared.previous_is_live,
        bases.is_stalled,
        bases.base_date,
        base_snapshots.observed_at as base_observed_at,
        base_snapshots.is_live as base_is_live

    from compared

    inner join touched on compared.snapshot_date >= touched.first_date

    inner join bases
        on
            compared.artist_id = bases.artist_id
            and compared.snapshot_date = bases.snapshot_date

    left join compared as base_snapshots
        on
            bases.artist_id = base_snapshots.artist_id
            and bases.base_date = base_snapshots.snapshot_date

)

select * from final
