-- One row per holding of a player with a last.fm account at the last close exported.
with

source as (

    select * from "new"."raw"."exchange__holdings"

),

final as (

    select
        load_id,
        player_id,
        listener_id,
        artist_id,
        held_date,
        shares

    from source

)

select * from final