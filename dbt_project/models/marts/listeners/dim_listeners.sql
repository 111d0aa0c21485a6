-- One row per listener: a last.fm account that the panel follows.
with

listeners as (

    select * from {{ ref('int_listeners') }}

),

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

listener_flags as (

    select * from {{ ref('listener_flags') }}

),

listened as (

    select
        listener_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        min(first_scrobbled_at) as first_scrobbled_at,
        max(last_scrobbled_at) as last_scrobbled_at

    from listener_days

    group by listener_id

),

flags as (

    select
        listener_id,
        {{ joined_text('flag', ', ', 'md5(flag)') }} as flags

    from listener_flags

    group by listener_id

),

final as (

    select
        listeners.listener_id,
        listeners.listener_name,
        listeners.country,
        listeners.country_key,
        listeners.registered_date,
        listeners.playcount,
        coalesce(listened.scrobbles, 0) as scrobbles,
        greatest(listeners.playcount - coalesce(listened.scrobbles, 0), 0)
            as missing_scrobbles,
        listened.first_scrobbled_at,
        listened.last_scrobbled_at,
        flags.flags is not null as is_flagged,
        flags.flags,
        listeners.is_complete

    from listeners

    left join listened on listeners.listener_id = listened.listener_id

    left join flags on listeners.listener_id = flags.listener_id

)

select * from final
