-- One row per trade on the exchange.
with

source as (

    select * from "new"."raw"."exchange__trades"

),

final as (

    select
        load_id,
        trade_id,
        player_id,
        artist_id,
        order_id,
        side,
        shares,
        value_units,
        fee_units,
        price_units,
        kind,
        version,
        session,
        traded_at

    from source

)

select * from final