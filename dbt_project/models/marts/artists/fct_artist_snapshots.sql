-- One row per artist and UTC day on which last.fm's counters were answered.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='snapshot_date',
        on_schema_change='fail',
        indexes=[
            {'columns': ['artist_id', 'snapshot_date']},
            {'columns': ['snapshot_date']},
        ] if target.type == 'postgres' else [],
    )
}}
{%- set snapshot = var('snapshot') %}
{%- set context_days = 10 + 2 * snapshot.longest_gap_days
    + snapshot.longest_stall_days %}
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
        0 as kind,
        as_of_date,
        fetched_at,
        load_id,
        touched_load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from infos

    union all

    select
        artist_id,
        is_artist_alias,
        1 as kind,
        as_of_date,
        fetched_at,
        load_id,
        touched_load_id,
        call_id,
        item_index,
        listeners,
        playcount

    from chart

),

-- A day is touched by a new answer and by an artist who got another identity; all that
-- follows from it is made anew.
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

    cross join touched

    where
        answered.as_of_date
        >= {{ add_days('touched.first_date', -context_days) }}

),

snapshots as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id

    from ranked

    where choice = 1
    {% if is_incremental() %}
    union all

    -- The last snapshot before the context, for artists with a long gap.
    select
        stored.artist_id,
        stored.snapshot_date,
        stored.observed_at,
        stored.listeners,
        stored.playcount,
        stored.touched_load_id

    from {{ this }} as stored

    inner join (
        select
            earlier.artist_id,
            max(earlier.snapshot_date) as snapshot_date

        from {{ this }} as earlier

        cross join touched

        where
            earlier.snapshot_date
            < {{ add_days('touched.first_date', -context_days) }}

        group by earlier.artist_id
    ) as anchors
        on
            stored.artist_id = anchors.artist_id
            and stored.snapshot_date = anchors.snapshot_date
    {% endif %}

),

compared as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        -- A day asked for on a later one is back-filled: its time of day says nothing.
        cast(observed_at as date) = snapshot_date as is_live,
        lag(snapshot_date) over series as previous_date,
        lag(listeners) over series as previous_listeners,
        lag(playcount) over series as previous_playcount,
        case
            when
                listeners = lag(listeners) over series
                and playcount = lag(playcount) over series
                then 0
            else 1
        end as moves

    from snapshots

    window series as (partition by artist_id order by snapshot_date)

),

counted as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_live,
        previous_date,
        previous_listeners,
        previous_playcount,
        moves,
        sum(moves) over (
            partition by artist_id
            order by snapshot_date
            rows between unbounded preceding and current row
        ) as run,
        first_value(playcount) over expectation as trailing_playcount,
        first_value(snapshot_date) over expectation as trailing_date

    from compared

    window expectation as (
        partition by artist_id
        order by snapshot_date
        range between
        interval '{{ snapshot.trailing_days }} days' preceding and current row
    )

),

-- A run is a snapshot and those after it that repeat its counters.
runs as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_live,
        previous_date,
        previous_listeners,
        previous_playcount,
        moves,
        first_value(snapshot_date) over run_series as run_date,
        first_value(observed_at) over run_series as run_observed_at,
        first_value(is_live) over run_series as run_is_live,
        -- Plays a day in the weeks before the run; null where it is the first.
        first_value(
            {{
                ratio(
                    'playcount - trailing_playcount',
                    days_between('trailing_date', 'snapshot_date'),
                )
            }}
        ) over run_series as expected_plays

    from counted

    window run_series as (partition by artist_id, run order by snapshot_date)

),

stalls as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_live,
        previous_date,
        previous_listeners,
        previous_playcount,
        run_date,
        run_observed_at,
        run_is_live,
        moves = 0
        and {{ days_between('run_date', 'snapshot_date') }}
        <= {{ snapshot.longest_stall_days }}
        and coalesce(
            expected_plays * {{ days_between('run_date', 'snapshot_date') }}
            >= {{ snapshot.stall_least_plays }},
            true
        ) as is_stalled

    from runs

),

-- A stalled answer is an old one: the flow after it starts where it was young.
based as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_live,
        is_stalled,
        previous_date,
        previous_listeners,
        previous_playcount,
        case
            when lag(is_stalled) over series then lag(run_date) over series
            else previous_date
        end as base_date,
        case
            when lag(is_stalled) over series then lag(run_observed_at) over series
            else lag(observed_at) over series
        end as base_observed_at,
        case
            when lag(is_stalled) over series then lag(run_is_live) over series
            else lag(is_live) over series
        end as base_is_live,
        lag(observed_at) over series as previous_observed_at,
        lag(is_live) over series as previous_is_live

    from stalls

    window series as (partition by artist_id order by snapshot_date)

),

timed as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_stalled,
        listeners - previous_listeners as listeners_change,
        playcount - previous_playcount as playcount_change,
        {{ days_between('previous_date', 'snapshot_date') }} as days_since_previous,
        case
            when is_live and previous_is_live
                then {{ seconds_between('previous_observed_at', 'observed_at') }}
            else
                {{ days_between('previous_date', 'snapshot_date') }}
                * cast(86400 as double precision)
        end as seconds_since_previous,
        case
            when is_live and base_is_live
                then {{ seconds_between('base_observed_at', 'observed_at') }}
            else
                {{ days_between('base_date', 'snapshot_date') }}
                * cast(86400 as double precision)
        end as flow_seconds

    from based

),

judged as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        listeners,
        playcount,
        touched_load_id,
        is_stalled,
        listeners_change,
        playcount_change,
        days_since_previous,
        seconds_since_previous,
        cast(floor(flow_seconds) as bigint) as flow_seconds,
        days_since_previous is not null
        and days_since_previous <= {{ snapshot.longest_gap_days }}
        and flow_seconds >= {{ snapshot.least_hours * 3600 }}
        and not is_stalled as has_flow

    from timed

),

-- Flows are whole millionths a day first, so that their sums are exact.
final as (

    select
        judged.artist_id,
        judged.snapshot_date,
        judged.observed_at,
        judged.listeners,
        judged.playcount,
        judged.seconds_since_previous / 3600 as hours_since_previous,
        judged.days_since_previous,
        case
            when judged.has_flow and judged.listeners_change >= 0
                then
                    {{
                        ratio(
                            whole_ratio(
                                'judged.listeners_change',
                                'judged.flow_seconds',
                                86400000000,
                            ),
                            1000000,
                        )
                    }}
        end as new_listeners_per_day,
        case
            when judged.has_flow and judged.playcount_change >= 0
                then
                    {{
                        ratio(
                            whole_ratio(
                                'judged.playcount_change',
                                'judged.flow_seconds',
                                86400000000,
                            ),
                            1000000,
                        )
                    }}
        end as plays_per_day,
        case
            when judged.listeners_change < 0 then judged.listeners_change
        end as listeners_correction,
        case
            when judged.playcount_change < 0 then judged.playcount_change
        end as playcount_correction,
        judged.is_stalled,
        judged.touched_load_id

    from judged

    cross join touched

    where judged.snapshot_date >= touched.first_date

)

select * from final
