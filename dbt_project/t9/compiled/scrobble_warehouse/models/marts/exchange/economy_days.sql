-- One row per day settled on the exchange.
with

economy_days as (

    select * from "new"."staging"."stg_exchange__economy_days"

),

final as (

    select
        economy_days.economy_date,
        economy_days.players,
        economy_days.active_players,
        economy_days.money_supply_units,
        economy_days.holdings_units,
        economy_days.fees_units,
        economy_days.issuance_units,
        economy_days.starting_grants_units,
        economy_days.dividends_units,
        economy_days.carried_units,
        economy_days.house_cash_units,
        economy_days.house_exposure_units,
        economy_days.trades,
        economy_days.orders_filled,
        economy_days.value_traded_units,
        economy_days.listed_artists,
        economy_days.halted_artists,
        economy_days.is_rolled

    from economy_days

)

select * from final