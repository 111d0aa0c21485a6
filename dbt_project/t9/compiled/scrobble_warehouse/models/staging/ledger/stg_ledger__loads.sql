-- One row per load that was promoted into raw.
with

source as (

    select * from "new"."raw"."loads"

),

final as (

    select
        load_id,
        run_id,
        as_of_date,
        loaded_at,
        answers,
        items,
        source.rows as loaded_rows,
        dead

    from source

)

select * from final