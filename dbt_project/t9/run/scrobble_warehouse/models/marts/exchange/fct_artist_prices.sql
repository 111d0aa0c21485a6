drop table if exists "new"."marts"."fct_artist_prices" cascade;

    
      
    

    create  table
      "new"."marts"."fct_artist_prices"
  
  (
    artist_id text not null,
    price_date date not null,
    fundamental_price_units bigint not null,
    close_price_units bigint not null,
    clearing_price_units bigint,
    surprise_milli bigint not null,
    points bigint not null,
    net_shares bigint not null,
    trades bigint not null,
    shares_traded bigint not null,
    dividend_units bigint not null,
    is_listed boolean not null,
    is_halted boolean not null,
    artist_name text
    
    )
 ;
    
    
    insert into "new"."marts"."fct_artist_prices" 
  (
    
      
      
      artist_id ,
    
      
      
      price_date ,
    
      
      
      fundamental_price_units ,
    
      
      
      close_price_units ,
    
      
      
      clearing_price_units ,
    
      
      
      surprise_milli ,
    
      
      
      points ,
    
      
      
      net_shares ,
    
      
      
      trades ,
    
      
      
      shares_traded ,
    
      
      
      dividend_units ,
    
      
      
      is_listed ,
    
      
      
      is_halted ,
    
      
      
      artist_name 
    
  )
 (
      
    select artist_id, price_date, fundamental_price_units, close_price_units, clearing_price_units, surprise_milli, points, net_shares, trades, shares_traded, dividend_units, is_listed, is_halted, artist_name
    from (
        -- One row per artist and day settled on the exchange.
with

prices as (

    select * from "new"."staging"."stg_exchange__prices"

),

artists as (

    select * from "new"."marts"."dim_artists"

),

aliases as (

    select * from "new"."marts"."dim_artist_aliases"

),

final as (

    select
        prices.artist_id,
        prices.price_date,
        prices.fundamental_price_units,
        prices.close_price_units,
        prices.clearing_price_units,
        prices.surprise_milli,
        prices.points,
        prices.net_shares,
        prices.trades,
        prices.shares_traded,
        prices.dividend_units,
        prices.is_listed,
        prices.is_halted,
        artists.artist_name

    from prices

    left join aliases
        on aliases.alias_artist_id = prices.artist_id

    left join artists
        on artists.artist_id = coalesce(aliases.artist_id, prices.artist_id)

)

select * from final
    ) as model_subq
    );
  