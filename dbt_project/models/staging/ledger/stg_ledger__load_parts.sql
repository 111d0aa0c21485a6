-- One row per landing file that a load has read.
with

source as (

    select * from {{ source('ledger', 'load_parts') }}

),

final as (

    select
        load_id,
        part,
        bytes,
        answers

    from source

)

select * from final
