-- One row per listener and rule whose flagged days differ under the vars given now.
--
-- A dry run: nothing is built. How it is asked is in docs/operations.md.
with

built as (

    select * from {{ ref('int_flagged_days') }}

),

found as (

    select * from {{ ref('int_flags_found') }}

),

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

differences as (

    select
        coalesce(found.listener_id, built.listener_id) as listener_id,
        coalesce(found.scrobbled_date, built.scrobbled_date) as scrobbled_date,
        coalesce(found.flag, built.flag) as flag,
        found.listener_id is not null as is_flagged_then,
        built.listener_id is not null as is_flagged_today

    from found

    full outer join built
        on
            found.listener_id = built.listener_id
            and found.scrobbled_date = built.scrobbled_date
            and found.flag = built.flag

),

final as (

    select
        differences.listener_id,
        differences.flag,
        cast(count(*) filter (where not is_flagged_today) as bigint) as days_flagged,
        cast(count(*) filter (where not is_flagged_then) as bigint) as days_unflagged,
        cast(count(*) filter (where is_flagged_then and is_flagged_today) as bigint)
            as days_as_before,
        cast(sum(listener_days.scrobbles) as bigint) as scrobbles

    from differences

    inner join listener_days
        on
            differences.listener_id = listener_days.listener_id
            and differences.scrobbled_date = listener_days.scrobbled_date

    group by differences.listener_id, differences.flag

)

select * from final

order by listener_id, flag
