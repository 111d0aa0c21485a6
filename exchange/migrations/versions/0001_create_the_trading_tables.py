"""Create the trading tables and what the database refuses by itself.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

from exchange.migrations.triggers_0001 import functions, statements_for

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("session", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("settled_date", sa.Date(), nullable=False),
        sa.Column("transactions", sa.BigInteger(), nullable=False),
        sa.Column("postings", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("settled_date", name=op.f("uq_checkpoints_settled_date")),
        schema="exchange",
    )
    op.create_table(
        "closing",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "is_closing", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.CheckConstraint("market_id = 1", name=op.f("ck_closing_is_single")),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_closing")),
        schema="exchange",
    )
    op.create_table(
        "economy_days",
        sa.Column("economy_date", sa.Date(), nullable=False),
        sa.Column("players", sa.BigInteger(), nullable=False),
        sa.Column("active_players", sa.BigInteger(), nullable=False),
        sa.Column("money_supply_units", sa.BigInteger(), nullable=False),
        sa.Column("holdings_units", sa.BigInteger(), nullable=False),
        sa.Column("fees_units", sa.BigInteger(), nullable=False),
        sa.Column("issuance_units", sa.BigInteger(), nullable=False),
        sa.Column("starting_grants_units", sa.BigInteger(), nullable=False),
        sa.Column("dividends_units", sa.BigInteger(), nullable=False),
        sa.Column("carried_units", sa.BigInteger(), nullable=False),
        sa.Column("house_cash_units", sa.BigInteger(), nullable=False),
        sa.Column("house_exposure_units", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("orders_filled", sa.BigInteger(), nullable=False),
        sa.Column("value_traded_units", sa.BigInteger(), nullable=False),
        sa.Column("listed_artists", sa.BigInteger(), nullable=False),
        sa.Column("halted_artists", sa.BigInteger(), nullable=False),
        sa.Column(
            "is_rolled", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.PrimaryKeyConstraint("economy_date", name=op.f("pk_economy_days")),
        schema="exchange",
    )
    op.create_table(
        "listings",
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("artist_name", sa.Text(), nullable=False),
        sa.Column("top_tag", sa.Text(), nullable=True),
        sa.Column(
            "is_listed", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column(
            "is_halted", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "is_suspended",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
        sa.Column("halt_reason", sa.Text(), nullable=True),
        sa.Column("fundamental_price_units", sa.BigInteger(), nullable=False),
        sa.Column("price_units", sa.BigInteger(), nullable=False),
        sa.Column("close_price_units", sa.BigInteger(), nullable=False),
        sa.Column("previous_close_units", sa.BigInteger(), nullable=False),
        sa.Column("net_shares", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "baseline_micros", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("depth_shares", sa.BigInteger(), nullable=False),
        sa.Column("sigma_ppm", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "surprise_milli", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("listeners", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("curve_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "house_cash_units", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("fees_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "session_trades", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column(
            "session_shares", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("traded_at", sa.DateTime(), nullable=True),
        sa.Column("listed_date", sa.Date(), nullable=False),
        sa.CheckConstraint("depth_shares > 0", name=op.f("ck_listings_depth_positive")),
        sa.CheckConstraint(
            "fees_units >= 0", name=op.f("ck_listings_fees_not_negative")
        ),
        sa.CheckConstraint(
            "fundamental_price_units > 0", name=op.f("ck_listings_price_positive")
        ),
        sa.CheckConstraint(
            "net_shares >= 0", name=op.f("ck_listings_net_shares_not_negative")
        ),
        sa.PrimaryKeyConstraint("artist_id", name=op.f("pk_listings")),
        schema="exchange",
    )
    op.create_table(
        "market",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("session", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("openings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_settled_date", sa.Date(), nullable=True),
        sa.Column("priced_at", sa.DateTime(), nullable=True),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("opened_at", sa.DateTime(), nullable=True),
        sa.Column("expected_open_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'closed', 'halted')", name=op.f("ck_market_state")
        ),
        sa.CheckConstraint("market_id = 1", name=op.f("ck_market_is_single")),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_market")),
        schema="exchange",
    )
    op.create_table(
        "market_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_market_events")),
        schema="exchange",
    )
    op.create_table(
        "players",
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("player_name", sa.Text(), nullable=True),
        sa.Column("listener_id", sa.Text(), nullable=True),
        sa.Column(
            "is_public", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column(
            "has_seen_tour",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
        sa.Column("cash_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "wealth_index", sa.BigInteger(), server_default="1000000000", nullable=False
        ),
        sa.Column(
            "life_index", sa.BigInteger(), server_default="1000000000", nullable=False
        ),
        sa.Column(
            "season_index", sa.BigInteger(), server_default="1000000000", nullable=False
        ),
        sa.Column("base_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("life", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("joined_at", sa.DateTime(), nullable=False),
        sa.Column("reset_at", sa.DateTime(), nullable=True),
        sa.Column("left_at", sa.DateTime(), nullable=True),
        sa.Column("liquidated_at", sa.DateTime(), nullable=True),
        sa.Column("league_tier", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cohort", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "cash_units >= 0", name=op.f("ck_players_cash_not_negative")
        ),
        sa.PrimaryKeyConstraint("player_id", name=op.f("pk_players")),
        sa.UniqueConstraint("account_id", name=op.f("uq_players_account_id")),
        sa.UniqueConstraint("player_name", name=op.f("uq_players_player_name")),
        schema="exchange",
    )
    op.create_table(
        "seasons",
        sa.Column("season", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("season", name=op.f("pk_seasons")),
        schema="exchange",
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
        schema="exchange",
    )
    op.create_table(
        "settlements",
        sa.Column("settled_date", sa.Date(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("season", sa.BigInteger(), nullable=False),
        sa.Column("orders_filled", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pool_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "dividends_units", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("carried_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "outcome in ('settled', 'rolled')", name=op.f("ck_settlements_outcome")
        ),
        sa.CheckConstraint(
            "dividends_units + carried_units = pool_units",
            name=op.f("ck_settlements_pool_is_all_used"),
        ),
        sa.PrimaryKeyConstraint("settled_date", name=op.f("pk_settlements")),
        sa.UniqueConstraint("session", name=op.f("uq_settlements_session")),
        schema="exchange",
    )
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_transactions")),
        schema="exchange",
    )
    op.create_index(
        "ix_transactions_session",
        "transactions",
        ["session"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "account_days",
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("account_date", sa.Date(), nullable=False),
        sa.Column("life", sa.BigInteger(), nullable=False),
        sa.Column("cash_units", sa.BigInteger(), nullable=False),
        sa.Column("holdings_units", sa.BigInteger(), nullable=False),
        sa.Column("worth_units", sa.BigInteger(), nullable=False),
        sa.Column("base_units", sa.BigInteger(), nullable=False),
        sa.Column("dividends_units", sa.BigInteger(), nullable=False),
        sa.Column("fees_units", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("wealth_index", sa.BigInteger(), nullable=False),
        sa.Column("life_index", sa.BigInteger(), nullable=False),
        sa.Column("season", sa.BigInteger(), nullable=False),
        sa.Column("league_tier", sa.BigInteger(), nullable=False),
        sa.Column("cohort", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_account_days_player_id"),
        ),
        sa.PrimaryKeyConstraint(
            "player_id", "account_date", name=op.f("pk_account_days")
        ),
        schema="exchange",
    )
    op.create_index(
        "ix_account_days_account_date",
        "account_days",
        ["account_date"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "answers",
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_answers_player_id"),
        ),
        sa.PrimaryKeyConstraint(
            "player_id", "idempotency_key", name=op.f("pk_answers")
        ),
        schema="exchange",
    )
    op.create_table(
        "board_rows",
        sa.Column("board", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("measure", sa.BigInteger(), nullable=False),
        sa.Column("board_date", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_board_rows_player_id"),
        ),
        sa.PrimaryKeyConstraint("board", "position", name=op.f("pk_board_rows")),
        sa.UniqueConstraint("board", "player_id", name="uq_board_rows_board_player"),
        schema="exchange",
    )
    op.create_table(
        "dividends",
        sa.Column("dividend_date", sa.Date(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("amount_units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "amount_units >= 0", name=op.f("ck_dividends_amount_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["exchange.listings.artist_id"],
            name=op.f("fk_dividends_artist_id"),
        ),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_dividends_player_id"),
        ),
        sa.PrimaryKeyConstraint(
            "dividend_date", "player_id", "artist_id", name=op.f("pk_dividends")
        ),
        schema="exchange",
    )
    op.create_index(
        "ix_dividends_player_id",
        "dividends",
        ["player_id"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "friend_leagues",
        sa.Column("league_id", sa.Text(), nullable=False),
        sa.Column("league_name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_friend_leagues_owner_id"),
        ),
        sa.PrimaryKeyConstraint("league_id", name=op.f("pk_friend_leagues")),
        sa.UniqueConstraint("code", name=op.f("uq_friend_leagues_code")),
        schema="exchange",
    )
    op.create_table(
        "holdings",
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.Column("cost_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("close_shares", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "previous_close_shares", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.Column("held_since", sa.DateTime(), nullable=True),
        sa.CheckConstraint("shares >= 0", name=op.f("ck_holdings_shares_not_negative")),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["exchange.listings.artist_id"],
            name=op.f("fk_holdings_artist_id"),
        ),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_holdings_player_id"),
        ),
        sa.PrimaryKeyConstraint("player_id", "artist_id", name=op.f("pk_holdings")),
        schema="exchange",
    )
    op.create_index(
        "ix_holdings_artist_id",
        "holdings",
        ["artist_id"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.Column("limit_units", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("filled_shares", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price_units", sa.BigInteger(), nullable=True),
        sa.Column("placed_at", sa.DateTime(), nullable=False),
        sa.Column("settled_date", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("side in ('buy', 'sell')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "state in ('queued', 'filled', 'part_filled', 'cancelled', 'unfilled')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint(
            "filled_shares >= 0 and filled_shares <= shares",
            name=op.f("ck_orders_filled_shares"),
        ),
        sa.CheckConstraint("shares > 0", name=op.f("ck_orders_shares_positive")),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["exchange.listings.artist_id"],
            name=op.f("fk_orders_artist_id"),
        ),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_orders_player_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        schema="exchange",
    )
    op.create_index(
        "ix_orders_player_id", "orders", ["player_id"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_orders_state", "orders", ["state"], unique=False, schema="exchange"
    )
    op.create_table(
        "postings",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_postings_amount_not_zero")),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["exchange.transactions.transaction_id"],
            name=op.f("fk_postings_transaction_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("transaction_id", "line", name=op.f("pk_postings")),
        schema="exchange",
    )
    op.create_table(
        "prices",
        sa.Column("price_date", sa.Date(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("fundamental_price_units", sa.BigInteger(), nullable=False),
        sa.Column("close_price_units", sa.BigInteger(), nullable=False),
        sa.Column("clearing_price_units", sa.BigInteger(), nullable=True),
        sa.Column("surprise_milli", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("net_shares", sa.BigInteger(), nullable=False),
        sa.Column("baseline_micros", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("shares_traded", sa.BigInteger(), nullable=False),
        sa.Column("dividend_units", sa.BigInteger(), nullable=False),
        sa.Column(
            "is_listed", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "is_halted", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["exchange.listings.artist_id"],
            name=op.f("fk_prices_artist_id"),
        ),
        sa.PrimaryKeyConstraint("artist_id", "price_date", name=op.f("pk_prices")),
        schema="exchange",
    )
    op.create_index(
        "ix_prices_price_date",
        "prices",
        ["price_date"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "season_results",
        sa.Column("season", sa.BigInteger(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("league_tier", sa.BigInteger(), nullable=False),
        sa.Column("cohort", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("return_ppm", sa.BigInteger(), nullable=False),
        sa.Column("movement", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_season_results_player_id"),
        ),
        sa.PrimaryKeyConstraint("season", "player_id", name=op.f("pk_season_results")),
        schema="exchange",
    )
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.Column("value_units", sa.BigInteger(), nullable=False),
        sa.Column("fee_units", sa.BigInteger(), nullable=False),
        sa.Column("price_units", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quote_id", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("traded_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("side in ('buy', 'sell')", name=op.f("ck_trades_side")),
        sa.CheckConstraint("fee_units >= 0", name=op.f("ck_trades_fee_not_negative")),
        sa.CheckConstraint("shares > 0", name=op.f("ck_trades_shares_positive")),
        sa.CheckConstraint(
            "value_units >= 0", name=op.f("ck_trades_value_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["exchange.listings.artist_id"],
            name=op.f("fk_trades_artist_id"),
        ),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_trades_player_id"),
        ),
        sa.ForeignKeyConstraint(
            ["trade_id"],
            ["exchange.transactions.transaction_id"],
            name=op.f("fk_trades_trade_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_trades")),
        sa.UniqueConstraint("order_id", name=op.f("uq_trades_order_id")),
        sa.UniqueConstraint("quote_id", name=op.f("uq_trades_quote_id")),
        schema="exchange",
    )
    op.create_index(
        "ix_trades_artist_id",
        "trades",
        ["artist_id", "traded_at"],
        unique=False,
        schema="exchange",
    )
    op.create_index(
        "ix_trades_player_id",
        "trades",
        ["player_id", "traded_at"],
        unique=False,
        schema="exchange",
    )
    op.create_table(
        "trophies",
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("life", sa.BigInteger(), nullable=False),
        sa.Column("trophy", sa.Text(), nullable=False),
        sa.Column("won_date", sa.Date(), nullable=False),
        sa.Column("artist_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_trophies_player_id"),
        ),
        sa.PrimaryKeyConstraint(
            "player_id", "life", "trophy", name=op.f("pk_trophies")
        ),
        schema="exchange",
    )
    op.create_table(
        "friend_league_members",
        sa.Column("league_id", sa.Text(), nullable=False),
        sa.Column("player_id", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["league_id"],
            ["exchange.friend_leagues.league_id"],
            name=op.f("fk_friend_league_members_league_id"),
        ),
        sa.ForeignKeyConstraint(
            ["player_id"],
            ["exchange.players.player_id"],
            name=op.f("fk_friend_league_members_player_id"),
        ),
        sa.PrimaryKeyConstraint(
            "league_id", "player_id", name=op.f("pk_friend_league_members")
        ),
        schema="exchange",
    )
    for statement in statements_for(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("friend_league_members", schema="exchange")
    op.drop_table("trophies", schema="exchange")
    op.drop_index("ix_trades_player_id", table_name="trades", schema="exchange")
    op.drop_index("ix_trades_artist_id", table_name="trades", schema="exchange")
    op.drop_table("trades", schema="exchange")
    op.drop_table("season_results", schema="exchange")
    op.drop_index("ix_prices_price_date", table_name="prices", schema="exchange")
    op.drop_table("prices", schema="exchange")
    op.drop_table("postings", schema="exchange")
    op.drop_index("ix_orders_state", table_name="orders", schema="exchange")
    op.drop_index("ix_orders_player_id", table_name="orders", schema="exchange")
    op.drop_table("orders", schema="exchange")
    op.drop_index("ix_holdings_artist_id", table_name="holdings", schema="exchange")
    op.drop_table("holdings", schema="exchange")
    op.drop_table("friend_leagues", schema="exchange")
    op.drop_index("ix_dividends_player_id", table_name="dividends", schema="exchange")
    op.drop_table("dividends", schema="exchange")
    op.drop_table("board_rows", schema="exchange")
    op.drop_table("answers", schema="exchange")
    op.drop_index(
        "ix_account_days_account_date", table_name="account_days", schema="exchange"
    )
    op.drop_table("account_days", schema="exchange")
    op.drop_index(
        "ix_transactions_session", table_name="transactions", schema="exchange"
    )
    op.drop_table("transactions", schema="exchange")
    op.drop_table("settlements", schema="exchange")
    op.drop_table("secrets", schema="exchange")
    op.drop_table("seasons", schema="exchange")
    op.drop_table("players", schema="exchange")
    op.drop_table("market_events", schema="exchange")
    op.drop_table("market", schema="exchange")
    op.drop_table("listings", schema="exchange")
    op.drop_table("economy_days", schema="exchange")
    op.drop_table("closing", schema="exchange")
    op.drop_table("checkpoints", schema="exchange")
    if op.get_bind().dialect.name != "sqlite":
        for function in functions():
            op.execute(f"drop function {function}()")
