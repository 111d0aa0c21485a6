-- One row per artist and day settled on the exchange.
with

source as (

    select * from "new"."raw"."exchange__prices"

),

final as (

    select
        load_id,
        artist_id,
        price_date,
        fundamental_price_units,
        close_price_units,
        clearing_price_units,
        surprise_milli,
        points,
        net_shares,
        trades,
        shares_traded,
        dividend_units,
        is_listed,
        is_halted

    from source

)

select * from final