-- One row per listener: a last.fm account that the panel follows.
with

user_infos as (

    select * from {{ ref('stg_lastfm__user_infos') }}

),

top_artists as (

    select * from {{ ref('stg_lastfm__user_top_artists') }}

),

friends as (

    select * from {{ ref('stg_lastfm__user_friends') }}

),

loved_tracks as (

    select * from {{ ref('stg_lastfm__user_loved_tracks') }}

),

personal_tags as (

    select * from {{ ref('stg_lastfm__user_personal_tags') }}

),

listener_days as (

    select * from {{ ref('int_listener_days') }}

),

walks as (

    select * from {{ ref('int_complete_walks') }}

),

ranked_infos as (

    select
        listener_id,
        listener_name,
        country,
        country_key,
        registered_at,
        playcount,
        row_number() over (
            partition by listener_id
            order by fetched_at desc, load_id desc, call_id desc, item_index desc
        ) as recency

    from user_infos

),

infos as (

    select * from ranked_infos

    where recency = 1

),

-- Whoever any answer is about: user.getInfo may have failed where a list was answered.
listeners as (

    select listener_id from infos

    union

    select listener_id from listener_days

    union

    select listener_id from top_artists

    union

    select listener_id from friends

    union

    select listener_id from loved_tracks

    union

    select listener_id from personal_tags

),

-- A walk from the beginning of time has seen the whole library.
walked as (

    select distinct listener_id

    from walks

    where
        walk_from_uts
        <= {{ to_uts("cast('" ~ var('first_scrobble_date') ~ "' as timestamp)") }}

),

final as (

    select
        listeners.listener_id,
        coalesce(infos.listener_name, listeners.listener_id) as listener_name,
        infos.country,
        infos.country_key,
        cast(infos.registered_at as date) as registered_date,
        infos.playcount,
        walked.listener_id is not null as is_complete

    from listeners

    left join infos on listeners.listener_id = infos.listener_id

    left join walked on listeners.listener_id = walked.listener_id

)

select * from final
