-- One row per listener ('' is the panel) and period from the first to the last play.
--
-- Zero where nothing was played, but for gaps of more than var longest_gap_days: a
-- single play with a wrong date does not make years of nothing.

with

listening as (

    select * from "new"."intermediate"."int_listening_periods"

    where period in ('day', 'week', 'month', 'year')

),

periods as (

    select * from "new"."intermediate"."int_periods"

),

followed as (

    select
        listener_id,
        period,
        period_start,
        min(first_scrobbled_date) over (
            partition by listener_id, period
        ) as first_scrobbled_date,
        case
            when
                cast((period_start - lag(period_start) over (
                        partition by listener_id, period order by period_start
                    )) as integer) <= 1100
                then 0
            else 1
        end as starts_stretch

    from listening

),

stretches as (

    select
        listener_id,
        period,
        period_start,
        first_scrobbled_date,
        sum(starts_stretch) over (
            partition by listener_id, period
            order by period_start
            rows between unbounded preceding and current row
        ) as stretch

    from followed

),

spans as (

    select
        listener_id,
        period,
        stretch,
        min(period_start) as from_period_start,
        max(period_start) as last_period_start,
        min(first_scrobbled_date) as first_scrobbled_date

    from stretches

    group by listener_id, period, stretch

),


series as (

    select
        listener_id,
        period,
        from_period_start,
        last_period_start,
        first_scrobbled_date

    from spans

),


-- A week is compared with the one 52 weeks before, 29 February with 28 February.
compared as (

    select
        series.listener_id,
        series.period,
        periods.period_start,
        series.first_scrobbled_date,
        case
            when series.period = 'week'
                then cast((periods.period_start + cast(-364 as integer)) as date)
            else cast(periods.period_start - interval '1 year' as date)
        end as previous_year_start

    from series

    inner join periods
        on
            series.period = periods.period
            and series.from_period_start <= periods.period_start
            and series.last_period_start >= periods.period_start

),

-- A period that began before the first play is cut, and nothing to compare with.
final as (

    select
        compared.listener_id,
        compared.period,
        compared.period_start,
        compared.first_scrobbled_date > compared.period_start as is_cut,
        coalesce(listening.scrobbles, 0) as scrobbles,
        coalesce(listening.tracks, 0) as tracks,
        coalesce(listening.artists, 0) as artists,
        coalesce(listening.listeners, 0) as active_listeners,
        coalesce(listening.listening_seconds, 0) as listening_seconds,
        coalesce(listening.scrobbles_clean, 0) as scrobbles_clean,
        coalesce(listening.tracks_clean, 0) as tracks_clean,
        coalesce(listening.artists_clean, 0) as artists_clean,
        coalesce(listening.listeners_clean, 0) as active_listeners_clean,
        coalesce(listening.listening_seconds_clean, 0) as listening_seconds_clean,
        case
            when compared.previous_year_start >= compared.first_scrobbled_date
                then coalesce(previous_year.scrobbles, 0)
        end as previous_year_scrobbles,
        case
            when compared.previous_year_start >= compared.first_scrobbled_date
                then coalesce(previous_year.scrobbles_clean, 0)
        end as previous_year_scrobbles_clean

    from compared

    left join listening
        on
            compared.listener_id = listening.listener_id
            and compared.period = listening.period
            and compared.period_start = listening.period_start

    left join listening as previous_year
        on
            compared.listener_id = previous_year.listener_id
            and compared.period = previous_year.period
            and compared.previous_year_start = previous_year.period_start

)

select * from final