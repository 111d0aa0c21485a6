"""The trading tables, for SQLite and PostgreSQL alike.

Units: `_units` are ten-thousandths of a credit, `_micros` millionths of a share, `_ppm`
millionths, `_milli` thousandths. A basis is counted in `_nanos`, billionths of a share
at the fundamental price. Times are UTC without a zone. No column holds a float.
On PostgreSQL the tables live in schema `exchange`, on SQLite in a file of their own.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = "exchange"
metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    },
)


def _text(name: str, *arguments: object, **options: object) -> Column[str]:
    options.setdefault("nullable", False)
    return Column(name, Text, *arguments, **options)  # type: ignore[arg-type]


def _big(name: str, default: int | None = None, **options: object) -> Column[int]:
    options.setdefault("nullable", False)
    if default is not None:
        options["server_default"] = str(default)
    return Column(name, BigInteger, **options)  # type: ignore[arg-type]


def _flag(name: str, default: str = "false") -> Column[bool]:
    from sqlalchemy import false, true

    return Column(
        name,
        Boolean,
        nullable=False,
        server_default=true() if default == "true" else false(),
    )


# One row: whether the market is open. A trade share-locks it, closing locks it.
market = Table(
    "market",
    metadata,
    Column("market_id", Integer, primary_key=True, autoincrement=False),
    _text("state"),
    _text("reason", nullable=True),
    # Everything written until the next settlement carries this number.
    _big("session", 1),
    # Counts the closes; a quote made before the last one is dead.
    _big("openings", 0),
    _text("version", nullable=True),
    _big("fence", 0),
    Column("last_settled_date", Date),
    # The time the prices are of: when the last settled run began to fetch.
    Column("priced_at", DateTime),
    Column("closed_at", DateTime),
    Column("opened_at", DateTime),
    Column("expected_open_at", DateTime),
    # Since when the prices wait for a day that failed; null once the market opens.
    Column("stale_since", DateTime),
    CheckConstraint("market_id = 1", name="is_single"),
    CheckConstraint("state in ('open', 'closed', 'halted')", name="state"),
)

# One row: somebody is about to close. Read by trades before they take the shared lock,
# so that newcomers cannot keep the closing one waiting for ever.
closing = Table(
    "closing",
    metadata,
    Column("market_id", Integer, primary_key=True, autoincrement=False),
    _flag("is_closing"),
    CheckConstraint("market_id = 1", name="is_single"),
)

# One row: what quotes are signed with.
secrets = Table(
    "secrets",
    metadata,
    _text("name", primary_key=True),
    _text("value"),
)

players = Table(
    "players",
    metadata,
    _text("player_id", primary_key=True),
    # The read service's account; null once the player has left.
    _text("account_id", nullable=True),
    # What others see: drawn until the player chooses, never the last.fm name.
    _text("player_name", nullable=True),
    # `warehouse.names.name_key` of the name: no two look alike.
    _text("name_key", nullable=True),
    # When the name was chosen; null while it is the drawn one.
    Column("named_at", DateTime),
    # The last.fm account, where the player has linked one.
    _text("listener_id", nullable=True),
    _flag("is_public", "true"),
    _flag("has_seen_tour"),
    _big("cash_units", 0),
    # Of the cash, what orders to buy that wait may cost.
    _big("reserved_units", 0),
    _big("points", 0),
    # Chain-linked wealth, 1,000,000,000 at the start; a reset does not move it.
    _big("wealth_index", 1_000_000_000),
    _big("life_index", 1_000_000_000),
    # Where the season began, and the worth the next day's return is reckoned from.
    _big("season_index", 1_000_000_000),
    _big("base_units", 0),
    _big("life", 1),
    Column("joined_at", DateTime, nullable=False),
    Column("reset_at", DateTime),
    Column("left_at", DateTime),
    Column("liquidated_at", DateTime),
    _big("league_tier", 0),
    _big("cohort", 0),
    UniqueConstraint("account_id"),
    UniqueConstraint("player_name"),
    CheckConstraint("cash_units >= 0", name="cash_not_negative"),
    CheckConstraint(
        "reserved_units >= 0 and reserved_units <= cash_units", name="reserved_is_there"
    ),
)

Index("ix_players_name_key", players.c.name_key, unique=True)

listings = Table(
    "listings",
    metadata,
    _text("artist_id", primary_key=True),
    _text("artist_name"),
    _text("top_tag", nullable=True),
    _flag("is_listed", "true"),
    _flag("is_halted"),
    # Halted by a person; settlements leave it alone.
    _flag("is_suspended"),
    _text("halt_reason", nullable=True),
    _big("fundamental_price_units"),
    _big("price_units"),
    _big("close_price_units"),
    _big("previous_close_units"),
    _big("net_shares", 0),
    # The basis of all holdings together.
    _big("basis_nanos", 0),
    _big("baseline_micros", 0),
    _big("depth_shares"),
    _big("sigma_ppm", 0),
    _big("surprise_milli", 0),
    _big("listeners", 0),
    _big("house_cash_units", 0),
    _big("fees_units", 0),
    _big("session_trades", 0),
    _big("session_shares", 0),
    Column("traded_at", DateTime),
    Column("listed_date", Date, nullable=False),
    CheckConstraint("fundamental_price_units > 0", name="price_positive"),
    CheckConstraint("depth_shares > 0", name="depth_positive"),
    CheckConstraint("net_shares >= 0", name="net_shares_not_negative"),
    CheckConstraint("basis_nanos >= 0", name="basis_not_negative"),
    CheckConstraint("fees_units >= 0", name="fees_not_negative"),
)

holdings = Table(
    "holdings",
    metadata,
    _text("player_id", ForeignKey(players.c.player_id)),
    _text("artist_id", ForeignKey(listings.c.artist_id)),
    _big("shares"),
    # What the shares were bought for, fees included; falls in proportion on a sale.
    _big("cost_units", 0),
    # What was paid for at the fundamental price of its day: a sale pays no more.
    _big("basis_nanos", 0),
    # The part of it bought "now" since the last close.
    _big("session_basis_nanos", 0),
    # Of the shares, what orders to sell that wait would deliver.
    _big("reserved_shares", 0),
    # Shares at the last close and the one before: dividends go by the least of them.
    _big("close_shares", 0),
    _big("previous_close_shares", 0),
    Column("held_since", DateTime),
    PrimaryKeyConstraint("player_id", "artist_id"),
    CheckConstraint("shares >= 0", name="shares_not_negative"),
    CheckConstraint("basis_nanos >= 0", name="basis_not_negative"),
    CheckConstraint(
        "session_basis_nanos >= 0 and session_basis_nanos <= basis_nanos",
        name="session_basis_is_part",
    ),
    CheckConstraint(
        "reserved_shares >= 0 and reserved_shares <= shares", name="reserved_is_there"
    ),
)
Index("ix_holdings_artist_id", holdings.c.artist_id)

# A transaction is inserted after its postings and seals them: see triggers.
transactions = Table(
    "transactions",
    metadata,
    _text("transaction_id", primary_key=True),
    _text("kind"),
    _big("session"),
    Column("occurred_at", DateTime, nullable=False),
)
Index("ix_transactions_session", transactions.c.session)

postings = Table(
    "postings",
    metadata,
    _text("transaction_id"),
    Column("line", Integer, nullable=False),
    # player:<id>, house:<artist_id>, fees:<artist_id>, bank
    _text("account"),
    # cash, the artist_id, or basis:<artist_id>
    _text("asset"),
    _big("amount"),
    PrimaryKeyConstraint("transaction_id", "line"),
    ForeignKeyConstraint(
        ["transaction_id"],
        [transactions.c.transaction_id],
        deferrable=True,
        initially="DEFERRED",
    ),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
)

# What an account holds of an asset, without a look at the table.
Index("ix_postings_account", postings.c.account, postings.c.asset, postings.c.amount)

trades = Table(
    "trades",
    metadata,
    _text("trade_id", primary_key=True),
    _text("player_id", ForeignKey(players.c.player_id)),
    _text("artist_id", ForeignKey(listings.c.artist_id)),
    _text("side"),
    _big("shares"),
    # Before the fee; what changes hands is value + fee or value − fee.
    _big("value_units"),
    _big("fee_units"),
    _big("price_units"),
    _text("kind"),
    _text("quote_id", nullable=True),
    _text("order_id", nullable=True),
    _text("version", nullable=True),
    _big("session"),
    Column("traded_at", DateTime, nullable=False),
    ForeignKeyConstraint(
        ["trade_id"],
        [transactions.c.transaction_id],
        deferrable=True,
        initially="DEFERRED",
    ),
    UniqueConstraint("quote_id"),
    UniqueConstraint("order_id"),
    CheckConstraint("side in ('buy', 'sell')", name="side"),
    CheckConstraint("shares > 0", name="shares_positive"),
    CheckConstraint("value_units >= 0", name="value_not_negative"),
    CheckConstraint("fee_units >= 0", name="fee_not_negative"),
)
Index("ix_trades_player_id", trades.c.player_id, trades.c.traded_at)
Index("ix_trades_artist_id", trades.c.artist_id, trades.c.traded_at)

orders = Table(
    "orders",
    metadata,
    _text("order_id", primary_key=True),
    _text("player_id", ForeignKey(players.c.player_id)),
    _text("artist_id", ForeignKey(listings.c.artist_id)),
    _text("side"),
    _big("shares"),
    _big("limit_units", nullable=True),
    # Cash set aside for an order to buy; an order to sell sets its shares aside.
    _big("reserved_units", 0),
    # queued, filled, part_filled, cancelled, unfilled
    _text("state"),
    _text("reason", nullable=True),
    _big("filled_shares", 0),
    _big("price_units", nullable=True),
    Column("placed_at", DateTime, nullable=False),
    Column("settled_date", Date),
    Column("ended_at", DateTime),
    CheckConstraint("side in ('buy', 'sell')", name="side"),
    CheckConstraint("shares > 0", name="shares_positive"),
    CheckConstraint(
        "filled_shares >= 0 and filled_shares <= shares", name="filled_shares"
    ),
    CheckConstraint(
        "state in ('queued', 'filled', 'part_filled', 'cancelled', 'unfilled')",
        name="state",
    ),
)
Index("ix_orders_state", orders.c.state)
Index("ix_orders_player_id", orders.c.player_id)

# The first answer to each idempotency key.
answers = Table(
    "answers",
    metadata,
    _text("player_id", ForeignKey(players.c.player_id)),
    _text("idempotency_key"),
    _text("body_hash"),
    Column("status", Integer, nullable=False),
    _text("body"),
    Column("answered_at", DateTime, nullable=False),
    PrimaryKeyConstraint("player_id", "idempotency_key"),
)

settlements = Table(
    "settlements",
    metadata,
    Column("settled_date", Date, primary_key=True),
    # settled, or rolled: the market stayed on the close before
    _text("outcome"),
    _text("reason", nullable=True),
    _text("version", nullable=True),
    _big("fence"),
    _big("session"),
    _big("season"),
    _big("orders_filled", 0),
    # The fees since the last close: paid as dividends, or to nobody.
    _big("pool_units", 0),
    _big("dividends_units", 0),
    _big("carried_units", 0),
    Column("settled_at", DateTime, nullable=False),
    UniqueConstraint("session"),
    CheckConstraint("outcome in ('settled', 'rolled')", name="outcome"),
    CheckConstraint(
        "dividends_units + carried_units = pool_units", name="pool_is_all_used"
    ),
)

prices = Table(
    "prices",
    metadata,
    Column("price_date", Date, nullable=False),
    _text("artist_id", ForeignKey(listings.c.artist_id)),
    _big("fundamental_price_units"),
    _big("close_price_units"),
    _big("clearing_price_units", nullable=True),
    _big("surprise_milli"),
    _big("points"),
    _big("net_shares"),
    _big("baseline_micros"),
    _big("trades"),
    _big("shares_traded"),
    _big("dividend_units"),
    _flag("is_listed"),
    _flag("is_halted"),
    PrimaryKeyConstraint("artist_id", "price_date"),
)
Index("ix_prices_price_date", prices.c.price_date)

dividends = Table(
    "dividends",
    metadata,
    Column("dividend_date", Date, nullable=False),
    _text("player_id", ForeignKey(players.c.player_id)),
    _text("artist_id", ForeignKey(listings.c.artist_id)),
    _big("shares"),
    _big("weight"),
    _big("amount_units"),
    PrimaryKeyConstraint("dividend_date", "player_id", "artist_id"),
    CheckConstraint("amount_units >= 0", name="amount_not_negative"),
)
Index("ix_dividends_player_id", dividends.c.player_id)

account_days = Table(
    "account_days",
    metadata,
    _text("player_id", ForeignKey(players.c.player_id)),
    Column("account_date", Date, nullable=False),
    _big("life"),
    _big("cash_units"),
    _big("holdings_units"),
    _big("worth_units"),
    # What the day's return is reckoned from: the close before, or the start.
    _big("base_units"),
    _big("dividends_units"),
    _big("fees_units"),
    _big("trades"),
    _big("points"),
    _big("wealth_index"),
    _big("life_index"),
    _big("season"),
    _big("league_tier"),
    _big("cohort"),
    PrimaryKeyConstraint("player_id", "account_date"),
)
Index("ix_account_days_account_date", account_days.c.account_date)

# The boards as of the last settlement, made anew by each.
board_rows = Table(
    "board_rows",
    metadata,
    _text("board"),
    _big("position"),
    _text("player_id", ForeignKey(players.c.player_id)),
    _big("rank"),
    # worth: units; every other board: time-weighted return in ppm
    _big("measure"),
    Column("board_date", Date, nullable=False),
    PrimaryKeyConstraint("board", "position"),
    UniqueConstraint("board", "player_id", name="uq_board_rows_board_player"),
)

economy_days = Table(
    "economy_days",
    metadata,
    Column("economy_date", Date, primary_key=True),
    _big("players"),
    _big("active_players"),
    _big("money_supply_units"),
    _big("holdings_units"),
    _big("fees_units"),
    # New money paid as dividends; none since they are paid by value.
    _big("issuance_units"),
    _big("starting_grants_units"),
    _big("dividends_units"),
    _big("carried_units"),
    _big("house_cash_units"),
    # What the house would owe, at the most, if every share were sold at the close.
    _big("house_exposure_units"),
    _big("trades"),
    _big("orders_filled"),
    _big("value_traded_units"),
    _big("listed_artists"),
    _big("halted_artists"),
    _flag("is_rolled"),
)

seasons = Table(
    "seasons",
    metadata,
    _big("season", primary_key=True, autoincrement=False),
    Column("start_date", Date, nullable=False),
    # Null while it runs.
    Column("end_date", Date),
)

season_results = Table(
    "season_results",
    metadata,
    _big("season"),
    _text("player_id", ForeignKey(players.c.player_id)),
    _big("league_tier"),
    _big("cohort"),
    _big("rank"),
    _big("return_ppm"),
    # promoted, relegated, stays
    _text("movement"),
    PrimaryKeyConstraint("season", "player_id"),
)

friend_leagues = Table(
    "friend_leagues",
    metadata,
    _text("league_id", primary_key=True),
    _text("league_name"),
    _text("code"),
    _text("owner_id", ForeignKey(players.c.player_id)),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("code"),
)

friend_league_members = Table(
    "friend_league_members",
    metadata,
    _text("league_id", ForeignKey(friend_leagues.c.league_id)),
    _text("player_id", ForeignKey(players.c.player_id)),
    Column("joined_at", DateTime, nullable=False),
    PrimaryKeyConstraint("league_id", "player_id"),
)

trophies = Table(
    "trophies",
    metadata,
    _text("player_id", ForeignKey(players.c.player_id)),
    _big("life"),
    _text("trophy"),
    Column("won_date", Date, nullable=False),
    _text("artist_id", nullable=True),
    PrimaryKeyConstraint("player_id", "life", "trophy"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _big("session", primary_key=True, autoincrement=False),
    Column("settled_date", Date, nullable=False),
    _big("transactions"),
    _big("postings"),
    _text("previous_hash"),
    _text("hash"),
    UniqueConstraint("settled_date"),
)

# Who left in the last days, by a keyed hash of the account: no new grant so soon.
departures = Table(
    "departures",
    metadata,
    _text("account_hash", primary_key=True),
    Column("left_at", DateTime, nullable=False),
)

# What people did to the market by hand, and why.
market_events = Table(
    "market_events",
    metadata,
    _text("event_id", primary_key=True),
    _text("event"),
    _text("actor"),
    _text("reason", nullable=True),
    Column("occurred_at", DateTime, nullable=False),
)
