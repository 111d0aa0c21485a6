-- One row per dead letter that was replayed or waived.
with

source as (

    select * from "new"."raw"."dead_letter_decisions"

),

final as (

    select
        dead_letter_id,
        load_id,
        decision,
        reason,
        decided_at

    from source

)

select * from final