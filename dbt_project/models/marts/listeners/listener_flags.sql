-- One row per listener and rule by which the listening is hardly one person's.
--
-- Flags take nothing away: they are derived anew in each build and go with their cause.
-- The rules and their numbers are the vars listener_flags.
{% set rules = var('listener_flags') %}
with

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

stretches as (

    select * from {{ ref('int_restless_stretches') }}

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

round_the_clock as (

    select
        listener_id,
        cast('round_the_clock' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(scrobbles) as bigint) as most,
        min(first_date) as first_date,
        max(last_date) as last_date

    from stretches

    where scrobbles >= {{ rules.round_the_clock_plays }}

    group by listener_id

),

-- A play that the next one follows within half its length cannot have been heard as
-- last.fm demands; enough of them in a day and nobody was listening.
bursts as (

    select
        listener_id,
        cast('bursts' as text) as flag,
        cast(count(*) as bigint) as cases,
        cast(max(scrobbles_cut_short) as bigint) as most,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from listener_days

    where
        scrobbles >= {{ rules.burst_plays }}
        and scrobbles_cut_short * 100 >= scrobbles * {{ rules.burst_pct }}

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
                then 'days: ' || cases || '; most plays in one: ' || most
            when 'long_hours'
                then
                    'spans of {{ rules.long_hours_days }} days: ' || cases
                    || '; most hours in one: ' || most
            when 'round_the_clock'
                then 'stretches: ' || cases || '; most plays in one: ' || most
            else 'days: ' || cases || '; most plays cut short in one: ' || most
        end as evidence,
        first_date,
        last_date

    from flagged

)

select * from final
