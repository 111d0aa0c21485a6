-- One row per listener and UTC day on which flags or their evidence are others now.
{{ config(materialized='noted', grain=['listener_id', 'scrobbled_date']) }}
{% set reach = (var('listener_flags').long_hours_of / 24) | round(0, 'ceil') | int %}
with

found as (

    select * from {{ near_touched(ref('int_flags_found'), reach) }}

),

-- As the build before left it.
built as (

    select * from {{ near_touched(source('built', 'int_flagged_days'), reach) }}

),

compared as (

    select
        coalesce(found.listener_id, built.listener_id) as listener_id,
        coalesce(found.scrobbled_date, built.scrobbled_date) as scrobbled_date,
        count(found.flag) as flags,
        count(built.flag) as flags_before,
        count(*) filter (where found.most is distinct from built.most) as differences

    from found

    full outer join built
        on
            found.listener_id = built.listener_id
            and found.scrobbled_date = built.scrobbled_date
            and found.flag = built.flag

    group by
        coalesce(found.listener_id, built.listener_id),
        coalesce(found.scrobbled_date, built.scrobbled_date)

),

final as (

    select
        listener_id,
        scrobbled_date,
        (flags > 0) <> (flags_before > 0) as is_count_changed

    from compared

    where differences > 0

)

select * from final
