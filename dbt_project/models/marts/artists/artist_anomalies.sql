-- One row per artist, UTC day and kind of anomaly in last.fm's counters.
with

steps as (

    select * from {{ ref('int_artist_steps') }}

),

counters as (

    select * from {{ ref('int_artist_counters') }}

),

artists as (

    select * from {{ ref('int_artists') }}

),

alias_infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }}
    where is_artist_alias

),

compared as (

    select
        artist_id,
        snapshot_date,
        flow_state,
        flow_reason,
        listeners_change,
        playcount_change,
        usual_plays,
        days_since_previous,
        plays_per_day is not null
        and lag(flow_state) over (partition by artist_id order by snapshot_date) = 0
            as is_catch_up,
        count(*) over (partition by snapshot_date) as answered,
        count(case when flow_state = 0 then 1 end) over (partition by snapshot_date)
            as stalled

    from steps

),

-- A day on which nearly all stand still is a whole answer that was given again.
kinds as (

    select
        artist_id,
        snapshot_date,
        listeners_change,
        playcount_change,
        usual_plays,
        case
            when flow_state = 0 and answered >= 10 and stalled >= 0.9 * answered
                then 'identical day'
            when flow_state = 0 then 'stall'
            when flow_state = 1 then 'correction'
            when flow_state = 2 then 'merge'
            when flow_state = 3 then 'opposite steps'
            when flow_state = 4 then 'plays without listeners'
            when flow_state = 5 then 'history'
            when flow_state = 6 then 'unconfirmed'
            when flow_reason like 'confirmed%' then 'burst'
            when flow_reason is not null then 'glitch'
            else 'catch-up'
        end as kind,
        coalesce(flow_reason, 'plays of more days than one, after a stall') as evidence

    from compared

    where flow_state is not null or flow_reason is not null or is_catch_up

    union all

    select
        artist_id,
        snapshot_date,
        listeners_change,
        playcount_change,
        usual_plays,
        'hole' as kind,
        'days without an answer: ' || (days_since_previous - 1) as evidence

    from compared

    where days_since_previous > 1

),

-- Whose counters may be in it: an artist or an alias that is gone, or lost some.
others as (

    select
        kinds.artist_id,
        kinds.snapshot_date,
        kinds.playcount_change,
        artists.artist_name as other_name,
        counters.playcount as other_plays

    from kinds

    inner join counters
        on
            kinds.snapshot_date > counters.snapshot_date
            and {{ days_between('counters.snapshot_date', 'kinds.snapshot_date') }}
            <= {{ var('snapshot').gone_days }}

    inner join artists on counters.artist_id = artists.artist_id

    left join counters as present
        on
            counters.artist_id = present.artist_id
            and kinds.snapshot_date = present.snapshot_date

    where kinds.kind = 'merge' and present.artist_id is null

    union all

    select
        kinds.artist_id,
        kinds.snapshot_date,
        kinds.playcount_change,
        alias_infos.artist_name as other_name,
        alias_infos.playcount as other_plays

    from kinds

    inner join alias_infos on kinds.artist_id = alias_infos.artist_id

    where kinds.kind = 'merge' and kinds.snapshot_date > alias_infos.as_of_date

    union all

    select
        kinds.artist_id,
        kinds.snapshot_date,
        kinds.playcount_change,
        artists.artist_name as other_name,
        -losers.playcount_change as other_plays

    from kinds

    inner join steps as losers on kinds.snapshot_date = losers.snapshot_date

    inner join artists on losers.artist_id = artists.artist_id

    where kinds.kind = 'opposite steps' and losers.playcount_change < 0

),

nearest as (

    select *

    from (
        select
            *,
            row_number() over (
                partition by artist_id, snapshot_date
                order by abs(other_plays - playcount_change), md5(other_name)
            ) as place
        from others
    ) as compared

    where place = 1

),

final as (

    select
        kinds.artist_id,
        kinds.snapshot_date as anomaly_date,
        kinds.kind,
        kinds.evidence,
        kinds.listeners_change,
        kinds.playcount_change,
        kinds.usual_plays as usual_plays_per_day,
        nearest.other_name as other_artist_name,
        nearest.other_plays as other_playcount

    from kinds

    left join nearest
        on
            kinds.artist_id = nearest.artist_id
            and kinds.snapshot_date = nearest.snapshot_date
            and kinds.kind in ('merge', 'opposite steps')

)

select * from final
