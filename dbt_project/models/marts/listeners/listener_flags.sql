-- One row per listener and rule by which the listening is hardly one person's.
--
-- The rules and their numbers are the vars listener_flags. The plays of the days that a
-- rule names do not count on charts; fct_listener_days says which days these are.
{% set rules = var('listener_flags') %}
with

flagged_days as (

    select * from {{ ref('int_flagged_days') }}

),

reasons as (

    select
        flag,
        reason,
        most_of

    from (
        values
        (
            'many_plays',
            'at least {{ rules.many_plays }} plays in 24 hours',
            'most plays in 24 hours'
        ),
        (
            'long_hours',
            'plays in at least {{ rules.long_hours }} of {{ rules.long_hours_of }}'
            || ' hours',
            'most hours of {{ rules.long_hours_of }} with a play'
        ),
        (
            'round_the_clock',
            'at least {{ rules.round_the_clock_plays }} plays through'
            || ' {{ rules.round_the_clock_hours }} of 24 hours, never quiet for'
            || ' {{ rules.quiet_minutes }} minutes',
            'most plays in 24 hours'
        ),
        (
            'bursts',
            'at least {{ rules.burst_pct }} % of {{ rules.burst_plays }} or more plays'
            || ' in 24 hours last less than half their known length',
            'most plays cut short in 24 hours'
        ),
        (
            'repetition',
            'at least {{ rules.repetition_pct }} % of {{ rules.repetition_plays }} or'
            || ' more plays through {{ rules.repetition_hours }} of 24 hours repeat'
            || ' a track of the 24 hours before',
            'most repeated plays in 24 hours'
        )
    ) as rules (flag, reason, most_of)

),

found as (

    select
        listener_id,
        flag,
        cast(count(*) as bigint) as days,
        max(most) as most,
        min(scrobbled_date) as first_date,
        max(scrobbled_date) as last_date

    from flagged_days

    group by listener_id, flag

),

final as (

    select
        found.listener_id,
        found.flag,
        reasons.reason,
        'days: ' || found.days || '; ' || reasons.most_of || ': ' || found.most
            as evidence,
        found.days,
        found.first_date,
        found.last_date

    from found

    inner join reasons on found.flag = reasons.flag

)

select * from final
