-- One row per listener, UTC day and rule by which it is hardly one person's listening.
--
-- Without the var allowed_listeners, whom the operator knows to be persons.
-- depends_on: {{ ref('int_touched_flags') }}
{{ config(materialized='incremental', incremental_strategy='touched_flags') }}
with

found as (

    select * from {{ ref('int_flags_found') }}

),

final as (

    select
        listener_id,
        scrobbled_date,
        flag,
        most

    from found

)

select * from final
