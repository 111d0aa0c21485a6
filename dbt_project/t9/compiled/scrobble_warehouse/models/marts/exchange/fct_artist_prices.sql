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