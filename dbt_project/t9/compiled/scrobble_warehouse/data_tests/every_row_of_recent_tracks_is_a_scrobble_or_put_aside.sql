-- Rows whose number differs between raw and the two staging models they go to.
with

answered as (

    select
        load_id,
        count(*) as answered_rows

    from "new"."raw"."lastfm__user_recent_tracks"

    where load_id > 0

    group by load_id

),

staged as (

    select
        load_id,
        count(*) as staged_rows

    from (
        select load_id from "new"."staging"."stg_lastfm__scrobbles"

        union all

        select load_id from "new"."staging"."stg_lastfm__rejected_scrobbles"
    ) as both_models

    where load_id > 0

    group by load_id

)

select
    answered.load_id,
    answered.answered_rows,
    staged.staged_rows

from answered

left join staged on answered.load_id = staged.load_id

where answered.answered_rows is distinct from staged.staged_rows