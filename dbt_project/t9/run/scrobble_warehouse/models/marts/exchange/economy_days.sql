drop table if exists "new"."marts"."economy_days" cascade;

    
      
    

    create  table
      "new"."marts"."economy_days"
  
  (
    economy_date date not null,
    players bigint not null,
    active_players bigint not null,
    money_supply_units bigint not null,
    holdings_units bigint not null,
    fees_units bigint not null,
    issuance_units bigint not null,
    starting_grants_units bigint not null,
    dividends_units bigint not null,
    carried_units bigint not null,
    house_cash_units bigint not null,
    house_exposure_units bigint not null,
    trades bigint not null,
    orders_filled bigint not null,
    value_traded_units bigint not null,
    listed_artists bigint not null,
    halted_artists bigint not null,
    is_rolled boolean not null
    
    )
 ;
    
    
    insert into "new"."marts"."economy_days" 
  (
    
      
      
      economy_date ,
    
      
      
      players ,
    
      
      
      active_players ,
    
      
      
      money_supply_units ,
    
      
      
      holdings_units ,
    
      
      
      fees_units ,
    
      
      
      issuance_units ,
    
      
      
      starting_grants_units ,
    
      
      
      dividends_units ,
    
      
      
      carried_units ,
    
      
      
      house_cash_units ,
    
      
      
      house_exposure_units ,
    
      
      
      trades ,
    
      
      
      orders_filled ,
    
      
      
      value_traded_units ,
    
      
      
      listed_artists ,
    
      
      
      halted_artists ,
    
      
      
      is_rolled 
    
  )
 (
      
    select economy_date, players, active_players, money_supply_units, holdings_units, fees_units, issuance_units, starting_grants_units, dividends_units, carried_units, house_cash_units, house_exposure_units, trades, orders_filled, value_traded_units, listed_artists, halted_artists, is_rolled
    from (
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
    ) as model_subq
    );
  