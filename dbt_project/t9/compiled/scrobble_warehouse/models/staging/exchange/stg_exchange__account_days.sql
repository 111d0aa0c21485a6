-- One row per player and day settled on the exchange.
with

source as (

    select * from "new"."raw"."exchange__account_days"

),

final as (

    select
        load_id,
        player_id,
        account_date,
        life,
        cash_units,
        holdings_units,
        worth_units,
        base_units,
        dividends_units,
        fees_units,
        trades,
        points,
        season,
        league_tier

    from source

)

select * from final