-- One row per listener and artist, track or album ever played.
--
-- The charts of all time read these sums instead of every month there has been.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_before_insert(
            'listener_id in (select listener_id from ' ~ ref('int_touched_days') ~ ')'
        ) }}"
    )
}}

with

months as (

    select * from {{ ref('int_listener_months') }}

),

final as (

    select
        entity_type,
        listener_id,
        entity_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from months

    where 1 = 1 {{ and_touched('all_time', 'month_start', 'listener_id') }}

    group by entity_type, listener_id, entity_id

)

select * from final
