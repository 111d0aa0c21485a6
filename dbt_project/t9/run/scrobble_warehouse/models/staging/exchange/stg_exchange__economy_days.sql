drop view if exists "new"."staging"."stg_exchange__economy_days" cascade;

  
  create view "new"."staging"."stg_exchange__economy_days" as (
    -- One row per day settled on the exchange.
with

source as (

    select * from "new"."raw"."exchange__economy_days"

),

final as (

    select
        load_id,
        economy_date,
        players,
        active_players,
        money_supply_units,
        holdings_units,
        fees_units,
        issuance_units,
        starting_grants_units,
        dividends_units,
        carried_units,
        house_cash_units,
        house_exposure_units,
        trades,
        orders_filled,
        value_traded_units,
        listed_artists,
        halted_artists,
        is_rolled

    from source

)

select * from final
  );
