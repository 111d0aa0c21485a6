drop table if exists "new"."marts"."fct_account_days" cascade;

    
      
    

    create  table
      "new"."marts"."fct_account_days"
  
  (
    player_id text not null,
    account_date date not null,
    life bigint not null,
    cash_units bigint not null,
    holdings_units bigint not null,
    worth_units bigint not null,
    base_units bigint not null,
    dividends_units bigint not null,
    fees_units bigint not null,
    trades bigint not null,
    points bigint not null,
    season bigint not null,
    league_tier bigint not null,
    return_pct double precision
    
    )
 ;
    
    
    insert into "new"."marts"."fct_account_days" 
  (
    
      
      
      player_id ,
    
      
      
      account_date ,
    
      
      
      life ,
    
      
      
      cash_units ,
    
      
      
      holdings_units ,
    
      
      
      worth_units ,
    
      
      
      base_units ,
    
      
      
      dividends_units ,
    
      
      
      fees_units ,
    
      
      
      trades ,
    
      
      
      points ,
    
      
      
      season ,
    
      
      
      league_tier ,
    
      
      
      return_pct 
    
  )
 (
      
    select player_id, account_date, life, cash_units, holdings_units, worth_units, base_units, dividends_units, fees_units, trades, points, season, league_tier, return_pct
    from (
        -- One row per player and day settled on the exchange.
with

account_days as (

    select * from "new"."staging"."stg_exchange__account_days"

),

final as (

    select
        account_days.player_id,
        account_days.account_date,
        account_days.life,
        account_days.cash_units,
        account_days.holdings_units,
        account_days.worth_units,
        account_days.base_units,
        account_days.dividends_units,
        account_days.fees_units,
        account_days.trades,
        account_days.points,
        account_days.season,
        account_days.league_tier,
        100 * (
        cast(account_days.worth_units - account_days.base_units as double precision)
        / nullif(cast(account_days.base_units as double precision), 0)
    ) as return_pct

    from account_days

)

select * from final
    ) as model_subq
    );
  