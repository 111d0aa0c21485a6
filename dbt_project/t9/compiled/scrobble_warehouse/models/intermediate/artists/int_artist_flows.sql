-- One row per artist and UTC day of a snapshot, with the attention the day brought.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

touched_flows as (

    select * from "new"."intermediate"."int_touched_flows"

),

own_plays as (

    select * from "new"."intermediate"."int_own_plays"

),

-- A restated day changes the flows of the days after it.
touched as (

    select min(snapshot_date) as first_date

    from snapshots
    

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

    left join own_plays
        on
            snapshots.artist_id = own_plays.artist_id
            and snapshots.snapshot_date = own_plays.snapshot_date

    where
        snapshots.snapshot_date >= (
            select cast((touched.first_date + cast(-28 as integer)) as date) from touched
        )

),

raw_attention as (

    select
        artist_id,
        flow_date,
        listeners,
        playcount,
        new_listeners_per_day,
        plays_per_day,
        is_observed,
        case
            when is_observed
                then
                    0.65
                    * ln(new_listeners_per_day + 5)
                    + (1 - 0.65)
                    * ln(plays_per_day + 5)
        end as raw_log_attention

    from flows

),

windows as (

    select
        artist_id,
        flow_date,
        array_agg(raw_log_attention) over days_before as usual_items,
        count(raw_log_attention) over days_before as usual_days

    from raw_attention

    window
        days_before as (
            partition by artist_id
            order by flow_date
            range between
            interval '28 days' preceding
            and interval '1 day' preceding
        )

),

-- What the day made of everybody's attention: a weekday, an outage, growth of the site.
day_factors as (

    select
        raw_attention.flow_date,
        case
            when count(*) >= 10
                then
                    cast(
        percentile_cont(0.5) within group (
            order by cast(raw_attention.raw_log_attention - list_aggregate(windows.usual_items, 'median') as double precision)
        ) as double precision
    )
            else 0
        end as day_factor

    from raw_attention

    inner join windows
        on
            raw_attention.artist_id = windows.artist_id
            and raw_attention.flow_date = windows.flow_date

    where
        raw_attention.is_observed
        and windows.usual_days >= 14
        and raw_attention.flow_date >= (select touched.first_date from touched)

    group by raw_attention.flow_date

),

attention as (

    select
        raw_attention.artist_id,
        raw_attention.flow_date,
        raw_attention.listeners,
        raw_attention.playcount,
        raw_attention.new_listeners_per_day,
        raw_attention.plays_per_day,
        raw_attention.is_observed,
        coalesce(day_factors.day_factor, 0) as day_factor,
        raw_attention.raw_log_attention - coalesce(day_factors.day_factor, 0)
            as log_attention

    from raw_attention

    left join day_factors on raw_attention.flow_date = day_factors.flow_date

    where raw_attention.flow_date >= (select touched.first_date from touched)

),

-- Sums of exact numbers: they do not depend on the order of adding.
final as (

    select
        artist_id,
        flow_date,
        listeners,
        playcount,
        new_listeners_per_day,
        plays_per_day,
        is_observed,
        day_factor,
        log_attention,
        (
        cast(cast(exp(log_attention) as numeric(38, 12)) as double precision)
        / nullif(cast(sum(cast(exp(log_attention) as numeric(38, 12))) over (partition by flow_date) as double precision), 0)
    ) as attention_share

    from attention

)

select * from final