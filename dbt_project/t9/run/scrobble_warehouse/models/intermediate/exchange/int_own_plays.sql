drop table if exists "new"."intermediate"."int_own_plays" cascade;

    

    create  table
      "new"."intermediate"."int_own_plays"
  
    
    as (
      -- One row per artist and snapshot with plays by players who held the artist's shares.


with

holdings as (

    select * from "new"."staging"."stg_exchange__holdings"

),

touched as (

    select * from "new"."intermediate"."int_touched_flows"

),

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"
    

),

scrobbles as (

    select * from "new"."staging"."stg_lastfm__scrobbles"

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
            >= cast((snapshots.snapshot_date - holdings.held_date) as integer)

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
                    cast(extract(epoch from (held_flows.observed_at - scrobbles.scrobbled_at)) as double precision) >= 0
                    and cast(extract(epoch from (held_flows.observed_at - scrobbles.scrobbled_at)) as double precision) < held_flows.seconds
            else
                cast((held_flows.snapshot_date - scrobbles.scrobbled_date) as integer) >= 0
                and cast((held_flows.snapshot_date - scrobbles.scrobbled_date) as integer) < held_flows.days_since_previous
        end
        and scrobbles.scrobbled_date
        >= (select cast((min(holdings.held_date) + cast(-1 as integer)) as date) from holdings)

),

final as (

    select
        artist_id,
        snapshot_date,
        max(load_id) as load_id,
        cast(count(distinct scrobble_id) as bigint) as own_scrobbles,
        (
        cast(cast(
        (cast(cast(count(distinct scrobble_id) as bigint) as hugeint) * 86400000000)
        // nullif(cast(cast(floor(max(seconds)) as bigint) as hugeint), 0) as bigint
    ) as double precision)
        / nullif(cast(1000000 as double precision), 0)
    ) as own_plays_per_day

    from played

    group by artist_id, snapshot_date

)

select * from final
    );
    
  