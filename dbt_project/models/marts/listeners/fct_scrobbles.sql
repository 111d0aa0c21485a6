-- One row per scrobble: a listener, a second, an artist's and a track's name.
{{ config(materialized='view') }}  -- the rows of int_scrobbles, not a second copy
with

scrobbles as (

    select * from {{ ref('int_scrobbles') }}

),

final as (

    select
        scrobble_id,
        listener_id,
        artist_id,
        track_id,
        album_id,
        scrobbled_at,
        scrobbled_date,
        duration_seconds,
        load_id

    from scrobbles

)

select * from final
