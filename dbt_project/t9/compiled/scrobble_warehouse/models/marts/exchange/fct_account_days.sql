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