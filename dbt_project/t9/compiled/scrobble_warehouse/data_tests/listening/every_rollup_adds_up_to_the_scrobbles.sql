-- Sums of the rollups of listening that differ from the number of scrobbles.
with

sums as (

    select
        'fct_scrobbles' as mart,
        cast(count(*) as bigint) as scrobbles

    from "new"."marts"."fct_scrobbles"

    union all

    select
        'fct_listener_days' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."fct_listener_days"

    union all

    select
        'artist_listener_weeks' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."artist_listener_weeks"

    union all

    select
        'listener_artists' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."listener_artists"

    union all

    select
        'listener_hours' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."listener_hours"

    where listener_id = ''

    union all

    select
        'listener_trends' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."listener_trends"

    where listener_id <> '' and period = 'day'

    union all

    select
        'totals' as mart,
        cast(sum(scrobbles) as bigint) as scrobbles

    from "new"."marts"."totals"

    where period = 'month'

)

select
    sums.mart,
    sums.scrobbles

from sums

inner join sums as facts on facts.mart = 'fct_scrobbles'

where coalesce(sums.scrobbles, 0) <> facts.scrobbles