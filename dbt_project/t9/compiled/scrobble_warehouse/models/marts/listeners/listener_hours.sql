-- One row per listener ('' is the whole panel), weekday and hour with a scrobble (UTC).
with

scrobbles as (

    select * from "new"."marts"."fct_scrobbles"

),

dated as (

    select
        listener_id,
        cast(extract(isodow from scrobbled_at) as integer) as weekday,
        cast(extract(hour from scrobbled_at) as integer) as hour,
        is_flagged

    from scrobbles

),

final as (

    select
        coalesce(listener_id, '') as listener_id,
        weekday,
        hour,
        cast(count(*) as bigint) as scrobbles,
        cast(count(*) filter (where not is_flagged) as bigint) as scrobbles_clean

    from dated

    group by grouping sets ((listener_id, weekday, hour), (weekday, hour))

)

select * from final