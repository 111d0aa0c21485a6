"""The raw tables that the exchange's own records go to. Data only.

Each: name, description, columns in words (as in the recipes), the key of a row.
"""

EXCHANGE_TABLES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "exchange__trades",
        "One row per trade on the exchange.",
        "load_id:bigint! trade_id! player_id! artist_id! side! shares:bigint! "
        "value_units:bigint! fee_units:bigint! price_units:bigint! kind! order_id "
        "version session:bigint! traded_at:timestamp!",
        ("trade_id",),
    ),
    (
        "exchange__prices",
        "One row per artist and day settled on the exchange.",
        "load_id:bigint! price_date:date! artist_id! "
        "fundamental_price_units:bigint! close_price_units:bigint! "
        "clearing_price_units:bigint surprise_milli:bigint! points:bigint! "
        "net_shares:bigint! trades:bigint! shares_traded:bigint! "
        "dividend_units:bigint! is_listed:boolean! is_halted:boolean!",
        ("artist_id", "price_date"),
    ),
    (
        "exchange__account_days",
        "One row per player and day settled on the exchange.",
        "load_id:bigint! account_date:date! player_id! life:bigint! "
        "cash_units:bigint! holdings_units:bigint! worth_units:bigint! "
        "base_units:bigint! dividends_units:bigint! fees_units:bigint! "
        "trades:bigint! points:bigint! season:bigint! league_tier:bigint!",
        ("player_id", "account_date"),
    ),
    (
        "exchange__dividends",
        "One row per dividend paid on the exchange.",
        "load_id:bigint! dividend_date:date! player_id! artist_id! shares:bigint! "
        "amount_units:bigint!",
        ("dividend_date", "player_id", "artist_id"),
    ),
    (
        "exchange__economy_days",
        "One row per day settled on the exchange.",
        "load_id:bigint! economy_date:date! players:bigint! active_players:bigint! "
        "money_supply_units:bigint! holdings_units:bigint! fees_units:bigint! "
        "issuance_units:bigint! starting_grants_units:bigint! "
        "dividends_units:bigint! carried_units:bigint! house_cash_units:bigint! "
        "house_exposure_units:bigint! trades:bigint! orders_filled:bigint! "
        "value_traded_units:bigint! listed_artists:bigint! halted_artists:bigint! "
        "is_rolled:boolean!",
        ("economy_date",),
    ),
    (
        "exchange__holdings",
        "One row per holding of a player with a last.fm account at the last "
        "close exported.",
        "load_id:bigint! held_date:date! player_id! listener_id! artist_id! "
        "shares:bigint!",
        ("held_date", "player_id", "artist_id"),
    ),
)
