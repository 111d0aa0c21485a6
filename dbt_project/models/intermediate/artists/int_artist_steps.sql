-- One row per artist and UTC day of a snapshot, with what its step is taken for.
--
-- All artists go from day to day together, because one's step may explain another's.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='snapshot_date',
        indexes=postgres_indexes([['artist_id', 'snapshot_date'], ['snapshot_date']]),
    )
}}
with recursive

counters as (

    select * from {{ ref('int_artist_counters') }}

),

-- A name that last.fm corrects has no counters of its own; it is there to be seen go.
answers as (

    select
        artist_id,
        snapshot_date,
        observed_at,
        is_live,
        listeners,
        playcount,
        false as is_alias

    from counters

    union all

    select
        'alias ' || artist_name as artist_id,
        as_of_date as snapshot_date,
        max(fetched_at) as observed_at,
        false as is_live,
        max(listeners) as listeners,
        max(playcount) as playcount,
        true as is_alias

    from (
        select artist_name, as_of_date, fetched_at, listeners, playcount
        from {{ ref('stg_lastfm__artist_infos') }}
        where is_artist_alias
        union all
        select artist_name, as_of_date, fetched_at, listeners, playcount
        from {{ ref('stg_lastfm__chart_top_artists') }}
        where is_artist_alias
    ) as aliases

    group by artist_name, as_of_date

),

touched as (

    select
        {{ add_days('min(snapshot_date)', -1) }} as eve,
        (select max(every.snapshot_date) from counters as every) as last_date

    from counters
    {% if is_incremental() %}
    where touched_load_id > {{ built_through() }}
    {% endif %}

),

known as (

    select
        artist_id,
        max(snapshot_date) filter (
            where snapshot_date <= (select touched.eve from touched)
        ) as last_date

    from answers

    group by artist_id

),
{% if is_incremental() %}
carried as (

    {{ carried_steps(this, '(select touched.eve from touched)') }}

),
{% endif %}
walk as (

    select
        known.artist_id,
        touched.eve as snapshot_date,
        cast(null as date) as previous_date,
        cast(null as {{ type_double() }}) as seconds_since_previous,
        cast(null as bigint) as listeners_change,
        cast(null as bigint) as playcount_change,
        cast(null as {{ type_double() }}) as usual_plays,
        cast(null as {{ type_double() }}) as new_listeners_per_day,
        cast(null as {{ type_double() }}) as plays_per_day,
        cast(null as integer) as flow_state,
        cast(null as {{ type_string() }}) as flow_reason,
        known.last_date,
        {%- if is_incremental() %}
        carried.next_base_date,
        carried.pending_state,
        carried.last_ratio,
        coalesce(carried.listener_flows, {{ array_of_doubles() }}) as listener_flows,
        coalesce(carried.play_flows, {{ array_of_doubles() }}) as play_flows
        {%- else %}
        cast(null as date) as next_base_date,
        cast(null as integer) as pending_state,
        cast(null as {{ type_double() }}) as last_ratio,
        {{ array_of_doubles() }} as listener_flows,
        {{ array_of_doubles() }} as play_flows
        {%- endif %}

    from known

    inner join touched on touched.last_date is not null
    {%- if is_incremental() %}

    left join carried on known.artist_id = carried.artist_id
    {%- endif %}

    union all

    select
        artist_id,
        snapshot_date,
        previous_date,
        seconds_since_previous,
        listeners_change,
        playcount_change,
        usual_plays,
        case when flow_state is null then new_listeners_per_day end,
        case when flow_state is null then plays_per_day end,
        flow_state,
        {{ flow_reason() }} as flow_reason,
        case when is_answered then snapshot_date else previous_date end as last_date,
        case
            when is_alias then null
            when not is_answered or flow_state in (1, 6) then base_date
            when flow_state = 0 and pending_state = 1 then previous_date
            when flow_state = 0 then base_date
            else snapshot_date
        end as next_base_date,
        case
            when not is_answered or (flow_state = 0 and pending_state = 6)
                then pending_state
            when flow_state in (1, 6) then flow_state
        end as pending_state,
        coalesce(greatest(plays_ratio, listeners_ratio), last_ratio) as last_ratio,
        {{ appended_flow('listener_flows', 'new_listeners_per_day') }}
            as listener_flows,
        {{ appended_flow('play_flows', 'plays_per_day') }} as play_flows

    from ({{ judged_steps('walk', 'answers', 'touched') }}) as judged

),

final as (

    select
        counters.artist_id,
        counters.snapshot_date,
        counters.observed_at,
        counters.listeners,
        counters.playcount,
        walk.seconds_since_previous / 3600 as hours_since_previous,
        {{ days_between('walk.previous_date', 'walk.snapshot_date') }}
            as days_since_previous,
        walk.new_listeners_per_day,
        walk.plays_per_day,
        walk.listeners_change,
        walk.playcount_change,
        walk.usual_plays,
        walk.flow_state,
        walk.flow_reason,
        walk.next_base_date,
        walk.pending_state,
        walk.last_ratio,
        counters.touched_load_id

    from walk

    inner join counters
        on
            walk.artist_id = counters.artist_id
            and walk.snapshot_date = counters.snapshot_date

    where walk.snapshot_date > (select touched.eve from touched)

)

select * from final
