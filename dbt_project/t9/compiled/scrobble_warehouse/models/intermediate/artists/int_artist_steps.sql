-- One row per artist and UTC day of a snapshot, with what its step is taken for.
--
-- All artists go from day to day together, because one's step may explain another's.

with recursive

counters as (

    select * from "new"."intermediate"."int_artist_counters"

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
        from "new"."staging"."stg_lastfm__artist_infos"
        where is_artist_alias
        union all
        select artist_name, as_of_date, fetched_at, listeners, playcount
        from "new"."staging"."stg_lastfm__chart_top_artists"
        where is_artist_alias
    ) as aliases

    group by artist_name, as_of_date

),

touched as (

    select
        cast((min(snapshot_date) + cast(-1 as integer)) as date) as eve,
        (select max(every.snapshot_date) from counters as every) as last_date

    from counters
    

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

walk as (

    select
        known.artist_id,
        touched.eve as snapshot_date,
        cast(null as date) as previous_date,
        cast(null as double precision) as seconds_since_previous,
        cast(null as bigint) as listeners_change,
        cast(null as bigint) as playcount_change,
        cast(null as double precision) as usual_plays,
        cast(null as double precision) as new_listeners_per_day,
        cast(null as double precision) as plays_per_day,
        cast(null as integer) as flow_state,
        cast(null as TEXT) as flow_reason,
        known.last_date,
        cast(null as date) as next_base_date,
        cast(null as integer) as pending_state,
        cast(null as double precision) as last_ratio,
        cast(array[] as double precision[]) as listener_flows,
        cast(array[] as double precision[]) as play_flows

    from known

    inner join touched on touched.last_date is not null

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
        case
        when flow_state = 0 then 'the counters stand still'
        when flow_state = 1 then 'a counter went back'
        when flow_state = 2
            then 'as many plays more as an artist had that answers no more'
        when flow_state = 3 then 'an equal and opposite step of another artist'
        when flow_state = 4 then 'plays without new listeners'
        when flow_state = 5 then 'more plays than a day can bring'
        when flow_state = 6 then 'a sudden step, to be confirmed by the next day'
        when plays_per_day is null then null
        when pending_state = 6 and is_fallen
            then 'the sudden step before went back: both days from the snapshot before'
        when pending_state = 6 then 'confirmed: the mean with the sudden step before'
        when pending_state = 1 and is_back
            then 'the step back before was another answer: the flow since before it'
    end as flow_reason,
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
        case
        when flow_state is not null or new_listeners_per_day is null then listener_flows
        else (array_append(listener_flows, new_listeners_per_day))[greatest(cast(cardinality(listener_flows) as integer) - 26, 1):]
    end
            as listener_flows,
        case
        when flow_state is not null or plays_per_day is null then play_flows
        else (array_append(play_flows, plays_per_day))[greatest(cast(cardinality(play_flows) as integer) - 26, 1):]
    end as play_flows

    from (select
        steps.*,
        case
        when steps.is_repeated then 0
        when steps.listeners_change < 0 or steps.playcount_change < 0 then 1
        when steps.known_flows < 14 then null
        when
            steps.is_gain
            and coalesce(len(list_filter(
        list_zip(steps.gone_playcounts, steps.gone_listeners),
        lambda item: abs(item[1] - steps.excess_plays) <= steps.merge_tolerance and item[2] >= 0.98 * steps.excess_listeners - steps.usual_listeners
    )) > 0, false)
            then 2
        when
            steps.is_gain
            and coalesce(len(list_filter(
        list_zip(steps.play_losses, steps.loser_plays, steps.listener_losses, steps.loss_tolerances),
        lambda item: abs(item[1] + steps.excess_plays) <= 0.02 * steps.excess_plays + 0.3 * greatest(item[2], steps.usual_plays) and abs(item[3] + steps.excess_listeners) <= item[4] + steps.listener_tolerance
    )) > 0, false)
            then 3
        when steps.pending_state = 6 and not steps.is_fallen then null
        when
            steps.plays_ratio > 4
            and steps.listeners_ratio < 0.4 * steps.plays_ratio
            and steps.listeners_ratio < 4
            then 4
        when
            steps.plays_ratio > 200
            or (
                steps.plays_ratio > 30
                and steps.plays_per_day * steps.usual_listeners
                > 1.8
                * steps.usual_plays * steps.new_listeners_per_day
            )
            then 5
        when
            steps.pending_state is distinct from 6
            and greatest(steps.plays_ratio, steps.listeners_ratio)
            > 8
            and coalesce(steps.last_ratio, 0) <= 0.25
            * greatest(steps.plays_ratio, steps.listeners_ratio)
            then 6
    end as flow_state
    from (
        select
            sized.*,
            array_agg(sized.previous_playcount) filter (where sized.is_gone) over () as gone_playcounts,
            array_agg(sized.previous_listeners) filter (where sized.is_gone) over () as gone_listeners,
            array_agg(sized.excess_plays) filter (where sized.playcount_change < 0) over () as play_losses,
            array_agg(sized.usual_plays) filter (where sized.playcount_change < 0) over () as loser_plays,
            array_agg(sized.excess_listeners) filter (where sized.playcount_change < 0) over () as listener_losses,
            array_agg(sized.listener_tolerance) filter (where sized.playcount_change < 0) over () as loss_tolerances
        from (
            select
                flows.*,
                flows.plays_per_day / (flows.usual_plays + 5)
                    as plays_ratio,
                flows.new_listeners_per_day
                / (flows.usual_listeners + 5) as listeners_ratio,
                0.02 * flows.excess_plays
                + 1 * flows.usual_plays as merge_tolerance,
                0.5
                * (flows.usual_listeners + 5)
                    as listener_tolerance,
                flows.plays_per_day
                > 3
                * (flows.usual_plays + 5)
                and flows.excess_plays
                > 5 * flows.usual_plays as is_gain
            from (
                select
                    changes.*,
                    changes.is_same
                    and (
                        changes.known_flows = 0
                        or changes.usual_plays >= 5
                    ) as is_repeated,
                    (
        cast(cast(
        (cast(changes.listeners_change as hugeint) * 86400000000)
        // nullif(cast(changes.flow_seconds as hugeint), 0) as bigint
    ) as double precision)
        / nullif(cast(1000000 as double precision), 0)
    )
                        as new_listeners_per_day,
                    (
        cast(cast(
        (cast(changes.playcount_change as hugeint) * 86400000000)
        // nullif(cast(changes.flow_seconds as hugeint), 0) as bigint
    ) as double precision)
        / nullif(cast(1000000 as double precision), 0)
    )
                        as plays_per_day,
                    changes.playcount_change
                    - changes.usual_plays * changes.flow_seconds / 86400
                        as excess_plays,
                    changes.listeners_change
                    - changes.usual_listeners * changes.flow_seconds / 86400
                        as excess_listeners
                from (
                    select
                        compared.*,
                        compared.listeners - compared.base_listeners
                            as listeners_change,
                        compared.playcount - compared.base_playcount
                            as playcount_change,
                        case
                            when
                                compared.base_seconds >= 21600
                                and cast((compared.snapshot_date - compared.base_date) as integer) <= 14
                                then cast(floor(compared.base_seconds) as bigint)
                        end as flow_seconds
                    from (
                        select
                            walk.artist_id,
                            cast((walk.snapshot_date + cast(1 as integer)) as date) as snapshot_date,
                            walk.last_date as previous_date,
                            case
        when today.is_live and previous.is_live
            then cast(extract(epoch from (today.observed_at - previous.observed_at)) as double precision)
        else 86400.0 * cast((today.snapshot_date - previous.snapshot_date) as integer)
    end
                                as seconds_since_previous,
                            walk.pending_state,
                            walk.last_ratio,
                            walk.listener_flows,
                            walk.play_flows,
                            cast(cardinality(walk.play_flows) as integer)
                                as known_flows,
                            coalesce(list_aggregate(walk.listener_flows, 'median'), 0)
                                as usual_listeners,
                            coalesce(list_aggregate(walk.play_flows, 'median'), 0)
                                as usual_plays,
                            today.artist_id is not null as is_answered,
                            today.artist_id is null and cast((cast((walk.snapshot_date + cast(1 as integer)) as date) - walk.last_date) as integer) <= 2 as is_gone,
                            today.is_alias,
                            today.listeners,
                            today.playcount,
                            previous.listeners as previous_listeners,
                            previous.playcount as previous_playcount,
                            today.listeners = previous.listeners
                            and today.playcount = previous.playcount as is_same,
                            today.listeners < previous.listeners
                            or today.playcount < previous.playcount as is_fallen,
                            today.listeners >= base.listeners and today.playcount >= base.playcount as is_back,
                            case when walk.pending_state = 1 and not (today.listeners >= base.listeners and today.playcount >= base.playcount) then walk.last_date else walk.next_base_date end as base_date,
                            case when walk.pending_state = 1 and not (today.listeners >= base.listeners and today.playcount >= base.playcount) then previous.listeners else base.listeners end as base_listeners,
                            case when walk.pending_state = 1 and not (today.listeners >= base.listeners and today.playcount >= base.playcount) then previous.playcount else base.playcount end as base_playcount,
                            case when walk.pending_state = 1 and not (today.listeners >= base.listeners and today.playcount >= base.playcount) then case
        when today.is_live and previous.is_live
            then cast(extract(epoch from (today.observed_at - previous.observed_at)) as double precision)
        else 86400.0 * cast((today.snapshot_date - previous.snapshot_date) as integer)
    end else case
        when today.is_live and base.is_live
            then cast(extract(epoch from (today.observed_at - base.observed_at)) as double precision)
        else 86400.0 * cast((today.snapshot_date - base.snapshot_date) as integer)
    end end as base_seconds
                        from walk as walk
                        inner join touched as touched
                            on walk.snapshot_date < touched.last_date
                        left join answers as today
                            on
                                walk.artist_id = today.artist_id
                                and cast((walk.snapshot_date + cast(1 as integer)) as date) = today.snapshot_date
                        left join answers as previous
                            on
                                walk.artist_id = previous.artist_id
                                and walk.last_date = previous.snapshot_date
                        left join answers as base
                            on
                                walk.artist_id = base.artist_id
                                and walk.next_base_date = base.snapshot_date
                    ) as compared
                ) as changes
            ) as flows
        ) as sized
    ) as steps) as judged

),

final as (

    select
        counters.artist_id,
        counters.snapshot_date,
        counters.observed_at,
        counters.listeners,
        counters.playcount,
        walk.seconds_since_previous / 3600 as hours_since_previous,
        cast((walk.snapshot_date - walk.previous_date) as integer)
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