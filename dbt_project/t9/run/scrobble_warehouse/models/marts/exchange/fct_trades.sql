drop table if exists "new"."marts"."fct_trades" cascade;

    
      
    

    create  table
      "new"."marts"."fct_trades"
  
  (
    trade_id text not null,
    player_id text not null,
    artist_id text not null,
    order_id text,
    side text not null,
    shares bigint not null,
    value_units bigint not null,
    fee_units bigint not null,
    price_units bigint not null,
    kind text not null,
    version text,
    session bigint not null,
    traded_at timestamp not null,
    artist_name text,
    traded_date date not null
    
    )
 ;
    
    
    insert into "new"."marts"."fct_trades" 
  (
    
      
      
      trade_id ,
    
      
      
      player_id ,
    
      
      
      artist_id ,
    
      
      
      order_id ,
    
      
      
      side ,
    
      
      
      shares ,
    
      
      
      value_units ,
    
      
      
      fee_units ,
    
      
      
      price_units ,
    
      
      
      kind ,
    
      
      
      version ,
    
      
      
      session ,
    
      
      
      traded_at ,
    
      
      
      artist_name ,
    
      
      
      traded_date 
    
  )
 (
      
    select trade_id, player_id, artist_id, order_id, side, shares, value_units, fee_units, price_units, kind, version, session, traded_at, artist_name, traded_date
    from (
        -- One row per trade on the exchange.
with

trades as (

    select * from "new"."staging"."stg_exchange__trades"

),

artists as (

    select * from "new"."marts"."dim_artists"

),

aliases as (

    select * from "new"."marts"."dim_artist_aliases"

),

final as (

    select
        trades.trade_id,
        trades.player_id,
        coalesce(aliases.artist_id, trades.artist_id) as artist_id,
        trades.order_id,
        trades.side,
        trades.shares,
        trades.value_units,
        trades.fee_units,
        trades.price_units,
        trades.kind,
        trades.version,
        trades.session,
        trades.traded_at,
        artists.artist_name,
        cast(trades.traded_at as date) as traded_date

    from trades

    left join aliases
        on aliases.alias_artist_id = trades.artist_id

    left join artists
        on artists.artist_id = coalesce(aliases.artist_id, trades.artist_id)

)

select * from final
    ) as model_subq
    );
  