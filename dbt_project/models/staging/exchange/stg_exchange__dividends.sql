-- One row per dividend paid on the exchange.
with

source as (

    select * from {{ source('exchange', 'dividends') }}

),

final as (

    select
        load_id,
        player_id,
        artist_id,
        dividend_date,
        shares,
        amount_units

    from source

)

select * from final
