-- One row per listener, day and kind of change to plays that were published otherwise.
with

changed_plays as (

    select * from {{ ref('int_changed_plays') }}

),

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

numbered as (

    select
        listener_id,
        scrobbled_date,
        subject,
        old_title,
        new_title,
        row_number() over (
            partition by listener_id, scrobbled_date, subject
            order by scrobbled_uts, place, new_title
        ) as number

    from changed_plays

),

summed as (

    select
        listener_id,
        scrobbled_date,
        subject,
        cast(count(*) as bigint) as plays,
        max(case when number = 1 then old_title end) as first_old_title,
        max(case when number = 1 then new_title end) as first_new_title

    from numbered

    group by listener_id, scrobbled_date, subject

),

final as (

    select
        summed.listener_id,
        summed.scrobbled_date as restated_date,
        summed.subject,
        summed.plays,
        summed.first_old_title,
        summed.first_new_title,
        cast(
            coalesce(listener_days.scrobbles, 0) - sum(
                case summed.subject
                    when 'came_late' then summed.plays
                    when 'went' then -summed.plays
                    else 0
                end
            ) over (partition by summed.listener_id, summed.scrobbled_date)
            as bigint
        ) as published_plays

    from summed

    left join listener_days
        on
            summed.listener_id = listener_days.listener_id
            and summed.scrobbled_date = listener_days.scrobbled_date

)

select * from final
