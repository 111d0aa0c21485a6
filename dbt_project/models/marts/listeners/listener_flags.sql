-- One row per listener and rule by which the listening is hardly one person's.
--
-- Flags take nothing away: they are derived anew in each build and go with their cause.
-- The rules and their numbers are the vars listener_flags.
{% set rules = var('listener_flags') %}
with

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

),

many_plays as (

    select
        listener_id,
        cast('many_plays' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(scrobbles) as bigint) as most,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from listener_days

    where scrobbles >= {{ rules.plays_in_a_day }}

    group by listener_id

),

hours_of_eight_days as (

    select
        listener_id,
        scrobbled_date,
        sum(active_hours) over (
            partition by listener_id
            order by scrobbled_date
            range between
            interval '{{ rules.long_hours_days - 1 }} days' preceding and current row
        ) as active_hours

    from listener_days

),

long_hours as (

    select
        listener_id,
        cast('long_hours' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(active_hours) as bigint) as most,
        min({{ add_days('scrobbled_date', 1 - rules.long_hours_days) }}) as first_date,
        max(scrobbled_date) as last_date

    from hours_of_eight_days

    where active_hours >= {{ rules.long_hours }}

    group by listener_id

),

-- Who plays through 22 hours without two quiet ones has a day with 11 of them, and
-- every day between the first and the last has 12: only those and their neighbours are
-- looked at play by play.
busy_days as (

    select distinct
        listener_id,
        {{ add_days('scrobbled_date', 'offsets.days') }} as scrobbled_date

    from listener_days

    cross join (values (-1), (0), (1)) as offsets (days)

    where active_hours >= 11

),

busy_scrobbles as (

    select
        scrobbles.listener_id,
        scrobbles.scrobble_id,
        scrobbles.scrobbled_at,
        scrobbles.scrobbled_date,
        case
            when
                {{ seconds_between(
                    'lag(scrobbles.scrobbled_at) over (
                        partition by scrobbles.listener_id
                        order by scrobbles.scrobbled_at, scrobbles.scrobble_id
                    )',
                    'scrobbles.scrobbled_at'
                ) }} < {{ rules.quiet_minutes }} * 60
                then 0
            else 1
        end as starts_stretch

    from scrobbles

    inner join busy_days
        on
            scrobbles.listener_id = busy_days.listener_id
            and scrobbles.scrobbled_date = busy_days.scrobbled_date

),

stretch_scrobbles as (

    select
        listener_id,
        scrobbled_at,
        scrobbled_date,
        sum(starts_stretch) over (
            partition by listener_id
            order by scrobbled_at, scrobble_id
            rows between unbounded preceding and current row
        ) as stretch

    from busy_scrobbles

),

stretches as (

    select
        listener_id,
        stretch,
        cast(count(*) as bigint) as scrobbles,
        count(distinct extract(hour from scrobbled_at)) as hours_of_the_clock,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from stretch_scrobbles

    group by listener_id, stretch

),

round_the_clock as (

    select
        listener_id,
        cast('round_the_clock' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(scrobbles) as bigint) as most,
        min(first_date) as first_date,
        max(last_date) as last_date

    from stretches

    where
        scrobbles >= {{ rules.round_the_clock_plays }}
        and hours_of_the_clock >= {{ rules.round_the_clock_hours }}

    group by listener_id

),

-- A play that the next one follows within half its length cannot have been heard as
-- last.fm demands; enough of them in a day and nobody was listening.
plays_of_full_days as (

    select
        scrobbles.listener_id,
        scrobbles.scrobbled_date,
        case
            when
                {{ seconds_between(
                    'scrobbles.scrobbled_at',
                    'lead(scrobbles.scrobbled_at) over (
                        partition by scrobbles.listener_id, scrobbles.scrobbled_date
                        order by scrobbles.scrobbled_at, scrobbles.scrobble_id
                    )'
                ) }} * 2 < {{ listening_seconds('scrobbles.duration_seconds') }}
                then 1
            else 0
        end as is_cut_short

    from scrobbles

    inner join listener_days
        on
            scrobbles.listener_id = listener_days.listener_id
            and scrobbles.scrobbled_date = listener_days.scrobbled_date

    where listener_days.scrobbles >= {{ rules.burst_plays }}

),

burst_days as (

    select
        listener_id,
        scrobbled_date,
        cast(sum(is_cut_short) as bigint) as cut_short

    from plays_of_full_days

    group by listener_id, scrobbled_date

    having sum(is_cut_short) * 100 >= count(*) * {{ rules.burst_pct }}

),

bursts as (

    select
        listener_id,
        cast('bursts' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(cut_short) as bigint) as most,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from burst_days

    group by listener_id

),

flagged as (

    select
        listener_id, flag, cases, most, first_date, last_date

    from many_plays

    union all

    select
        listener_id, flag, cases, most, first_date, last_date

    from long_hours

    union all

    select
        listener_id, flag, cases, most, first_date, last_date

    from round_the_clock

    union all

    select
        listener_id, flag, cases, most, first_date, last_date

    from bursts

),

final as (

    select
        listener_id,
        flag,
        case flag
            when 'many_plays'
                then 'at least {{ rules.plays_in_a_day }} plays in a day'
            when 'long_hours'
                then
                    'plays in at least {{ rules.long_hours }} hours of'
                    || ' {{ rules.long_hours_days }} days'
            when 'round_the_clock'
                then
                    'at least {{ rules.round_the_clock_plays }} plays through'
                    || ' {{ rules.round_the_clock_hours }} hours of the clock,'
                    || ' never quiet for {{ rules.quiet_minutes }} minutes'
            else
                'at least {{ rules.burst_pct }} % of a day''s plays last less'
                || ' than half their track'
        end as reason,
        case flag
            when 'many_plays'
                then cases || ' days, at most ' || most || ' plays'
            when 'long_hours'
                then
                    cases || ' times {{ rules.long_hours_days }} days, at most '
                    || most || ' hours'
            when 'round_the_clock'
                then cases || ' stretches, the longest of ' || most || ' plays'
            else cases || ' days, at most ' || most || ' plays cut short'
        end as evidence,
        first_date,
        last_date

    from flagged

)

select * from final
