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