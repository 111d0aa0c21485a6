"""The books: double entry, posted once, never changed; and the checks on them.

A transaction is a list of postings that sum to zero for each asset. Posting one also
moves the balances kept beside the books (a player's cash, holdings, the house's account
of each artist), so that the two can be compared: `violations` does, at every
settlement and on request.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from exchange import pricing, schema
from exchange.clock import iso
from exchange.errors import Refusal
from exchange.prepared import Prepared, Write, together

CASH = "cash"
BANK = "bank"
GENESIS = "0" * 64


def player_account(player_id: str) -> str:
    return f"player:{player_id}"


def house_account(artist_id: str) -> str:
    return f"house:{artist_id}"


def fees_account(artist_id: str) -> str:
    return f"fees:{artist_id}"


def basis_asset(artist_id: str) -> str:
    """The basis of an artist's shares: an asset as they are, see `pricing`."""
    return f"basis:{artist_id}"


@dataclass
class Entry:
    """A transaction in the making."""

    transaction_id: str
    kind: str
    session: int
    occurred_at: datetime
    postings: list[tuple[str, str, int]] = field(default_factory=list)

    def move(self, asset: str, source: str, target: str, amount: int) -> None:
        """Move an amount from one account to another; nothing for zero."""
        if amount:
            self.postings.append((source, asset, -amount))
            self.postings.append((target, asset, amount))


def merge(postings: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """One posting per account and asset, without those that cancel out."""
    sums: dict[tuple[str, str], int] = {}
    for account, asset, amount in postings:
        sums[account, asset] = sums.get((account, asset), 0) + amount
    return [(account, asset, n) for (account, asset), n in sums.items() if n]


_insert_postings = insert(schema.postings)
_insert_transaction = Prepared(
    insert(schema.transactions), schema.transactions.c.keys()
)
_FEW = 8


def _few_postings(lines: int) -> Prepared:
    """The insert of a given small number of postings, in one statement."""
    return Prepared(
        insert(schema.postings).values(
            [
                {
                    name: bindparam(f"{name}_{line}", type_=column.type)
                    for name, column in schema.postings.c.items()
                }
                for line in range(lines)
            ]
        )
    )


_insert_few = {lines: _few_postings(lines) for lines in range(1, _FEW + 1)}
_move_cash = (
    update(schema.players)
    .where(schema.players.c.player_id == bindparam("who"))
    .values(cash_units=schema.players.c.cash_units + bindparam("amount"))
)
_move_house = (
    update(schema.listings)
    .where(schema.listings.c.artist_id == bindparam("which"))
    .values(
        house_cash_units=schema.listings.c.house_cash_units + bindparam("house"),
        fees_units=schema.listings.c.fees_units + bindparam("fees"),
    )
)


def record(connection: Connection, entry: Entry) -> None:
    """Write the postings and the header that seals them; moves no balance."""
    lines = merge(entry.postings)
    if len(lines) > _FEW:
        connection.execute(
            _insert_postings,
            [
                {
                    "transaction_id": entry.transaction_id,
                    "line": line,
                    "account": account,
                    "asset": asset,
                    "amount": amount,
                }
                for line, (account, asset, amount) in enumerate(lines)
            ],
        )
        lines = []
    together(connection, *_recording(entry, lines))


def recording(entry: Entry) -> list[Write]:
    """What records an entry of a few postings."""
    return _recording(entry, merge(entry.postings))


def _recording(entry: Entry, lines: Sequence[tuple[str, str, int]]) -> list[Write]:
    """The statements for these few lines, and for the header."""
    header = {
        "transaction_id": entry.transaction_id,
        "kind": entry.kind,
        "session": entry.session,
        "occurred_at": entry.occurred_at,
    }
    binds: dict[str, Any] = {}
    for line, (account, asset, amount) in enumerate(lines):
        binds[f"transaction_id_{line}"] = entry.transaction_id
        binds[f"line_{line}"] = line
        binds[f"account_{line}"] = account
        binds[f"asset_{line}"] = asset
        binds[f"amount_{line}"] = amount
    postings = [(_insert_few[len(lines)], binds)] if lines else []
    return [*postings, (_insert_transaction, header)]


def post(connection: Connection, entry: Entry) -> None:
    """Write a transaction of cash, and move every balance it touches.

    A trade writes the same with fewer statements, and shares: see `trading`.
    """
    record(connection, entry)
    cash: dict[str, int] = {}
    houses: dict[str, dict[str, int]] = {}
    for account, _, amount in merge(entry.postings):
        owner, _, key = account.partition(":")
        if owner == "player":
            cash[key] = amount
        elif owner in ("house", "fees"):
            houses.setdefault(key, {"house": 0, "fees": 0})[owner] += amount
    if cash:
        connection.execute(
            _move_cash, [{"who": who, "amount": n} for who, n in sorted(cash.items())]
        )
    if houses:
        connection.execute(
            _move_house, [{"which": key, **moves} for key, moves in houses.items()]
        )


def adding_shares(connection: Connection, **bought: Any) -> Write:
    """What adds shares, their cost and their basis to a holding, or makes it.

    Args:
        bought: the columns of `holdings` up to `held_since`.
    """
    return _buy_holding[connection.dialect.name], bought


@dataclass(frozen=True)
class Sold:
    """What leaves a holding with the shares sold; cost and basis rounded up."""

    cost_units: int
    basis_nanos: int
    session_basis_nanos: int


def part_sold(holding: Any, shares: int) -> Sold:
    """The part of a holding's cost and basis that its shares take with them.

    Of the basis bought since the last close the part is rounded down: what is left of
    it bears the day's fall.
    """
    basis = pricing.basis_sold(holding.basis_nanos, shares, holding.shares)
    fresh = holding.session_basis_nanos
    kept = fresh - fresh * shares // holding.shares
    return Sold(
        -(-holding.cost_units * shares // holding.shares),
        basis,
        fresh - min(kept, holding.basis_nanos - basis),
    )


def taking_shares(player_id: str, artist_id: str, shares: int, sold: Sold) -> Write:
    """What takes shares and what goes with them out of a holding."""
    return _sell_holding, {
        "n": shares,
        "cost": sold.cost_units,
        "basis": sold.basis_nanos,
        "fresh": sold.session_basis_nanos,
        "p": player_id,
        "a": artist_id,
    }


_held = schema.holdings.c
_sell_holding = Prepared(
    update(schema.holdings)
    .where(_held.player_id == bindparam("p"), _held.artist_id == bindparam("a"))
    .values(
        shares=_held.shares - bindparam("n"),
        cost_units=_held.cost_units - bindparam("cost"),
        basis_nanos=_held.basis_nanos - bindparam("basis"),
        session_basis_nanos=_held.session_basis_nanos - bindparam("fresh"),
    )
)
_ADDED = ("shares", "cost_units", "basis_nanos", "session_basis_nanos")


def _buying(module: Any) -> Prepared:
    statement = module.insert(schema.holdings).values(
        {
            name: bindparam(name, type_=_held[name].type)
            for name in ("player_id", "artist_id", *_ADDED, "held_since")
        }
    )
    return Prepared(
        statement.on_conflict_do_update(
            index_elements=["player_id", "artist_id"],
            set_={
                **{name: _held[name] + statement.excluded[name] for name in _ADDED},
                "held_since": case(
                    (_held.shares == 0, statement.excluded.held_since),
                    else_=_held.held_since,
                ),
            },
        )
    )


_buy_holding = {"sqlite": _buying(sqlite), "postgresql": _buying(postgresql)}


def sums(connection: Connection) -> dict[tuple[str, str], int]:
    """What every account holds of every asset, from the postings alone."""
    columns = schema.postings.c
    return {
        (row.account, row.asset): int(row.amount)
        for row in connection.execute(
            select(
                columns.account, columns.asset, func.sum(columns.amount).label("amount")
            ).group_by(columns.account, columns.asset)
        )
    }


def violations(connection: Connection) -> list[str]:
    """Every way in which the books do not add up, as sentences; empty when they do."""
    return [
        *_unbalanced(connection),
        *_balances_that_differ(connection),
        *_trades_without_postings(connection),
        *_reservations_that_differ(connection),
        *_pools_that_differ(connection),
        *_prices_off_the_curve(connection),
    ]


def check_player(found: Any, player_id: str, artist_id: str | None) -> None:
    """Compare one player's cash, and shares of one artist, with what was posted.

    Args:
        found: a row of `PLAYER_BOOKS`.

    Raises:
        Refusal: `violated`, with what is kept and what was posted.
    """
    kept = (found.cash_units, found.shares, found.basis_nanos)
    posted = (found.posted_cash, found.posted_shares, found.posted_basis)
    if tuple(map(int, kept)) != tuple(map(int, posted)):
        raise Refusal(
            "violated",
            f"player {player_id} keeps {kept[0]} of cash, {kept[1]} shares of"
            f" {artist_id} and {kept[2]} of their basis, but the postings say"
            f" {posted[0]}, {posted[1]} and {posted[2]}",
        )


def whose_books(player_id: str, artist_id: str | None) -> dict[str, str]:
    """The binds of `PLAYER_BOOKS`."""
    return {
        "who": player_id,
        "which": artist_id or "",
        "account": player_account(player_id),
        "basis": basis_asset(artist_id or ""),
    }


def _posted(asset: Any, name: str) -> Any:
    columns = schema.postings.c
    return (
        select(func.coalesce(func.sum(columns.amount), 0))
        .where(columns.account == bindparam("account"), columns.asset == asset)
        .scalar_subquery()
        .label(name)
    )


def _kept(column: Any) -> Any:
    found = (
        select(column)
        .where(_held.player_id == bindparam("who"))
        .where(_held.artist_id == bindparam("which"))
        .scalar_subquery()
    )
    return func.coalesce(found, 0).label(column.name)


#: What is kept of a player and what was posted, as columns that any statement may give.
PLAYER_BOOKS = (
    select(schema.players.c.cash_units)
    .where(schema.players.c.player_id == bindparam("who"))
    .scalar_subquery()
    .label("cash_units"),
    _kept(_held.shares),
    _kept(_held.basis_nanos),
    _posted(CASH, "posted_cash"),
    _posted(bindparam("which"), "posted_shares"),
    _posted(bindparam("basis"), "posted_basis"),
)


def _unbalanced(connection: Connection) -> list[str]:
    columns = schema.postings.c
    problems = [
        f"transaction {row.transaction_id} is out of balance by {row.total}"
        f" of {row.asset}"
        for row in connection.execute(
            select(
                columns.transaction_id,
                columns.asset,
                func.sum(columns.amount).label("total"),
            )
            .group_by(columns.transaction_id, columns.asset)
            .having(func.sum(columns.amount) != 0)
            .limit(20)
        )
    ]
    orphans = connection.execute(
        select(columns.transaction_id)
        .join(
            schema.transactions,
            schema.transactions.c.transaction_id == columns.transaction_id,
            isouter=True,
        )
        .where(schema.transactions.c.transaction_id.is_(None))
        .limit(20)
    )
    return problems + [f"postings of {row[0]} have no transaction" for row in orphans]


def _balances_that_differ(connection: Connection) -> list[str]:
    posted = sums(connection)
    posted = {key: amount for key, amount in posted.items() if amount}
    kept: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        select(schema.players.c.player_id, schema.players.c.cash_units)
    ):
        kept[player_account(row.player_id), CASH] = row.cash_units
    for row in connection.execute(
        select(_held.player_id, _held.artist_id, _held.shares, _held.basis_nanos)
    ):
        account = player_account(row.player_id)
        kept[account, row.artist_id] = row.shares
        kept[account, basis_asset(row.artist_id)] = row.basis_nanos
    listed = schema.listings.c
    for row in connection.execute(
        select(
            listed.artist_id,
            listed.net_shares,
            listed.basis_nanos,
            listed.house_cash_units,
            listed.fees_units,
        )
    ):
        house = house_account(row.artist_id)
        kept[house, row.artist_id] = -row.net_shares
        kept[house, basis_asset(row.artist_id)] = -row.basis_nanos
        kept[house, CASH] = row.house_cash_units
        kept[fees_account(row.artist_id), CASH] = row.fees_units
    problems = []
    for key in sorted(kept.keys() | posted.keys()):
        if key == (BANK, CASH):
            continue
        if kept.get(key, 0) != posted.get(key, 0):
            problems.append(
                f"{key[0]} keeps {kept.get(key, 0)} of {key[1]}"
                f" but the postings say {posted.get(key, 0)}"
            )
        elif key[0].startswith("player:") and kept.get(key, 0) < 0:
            problems.append(f"{key[0]} has a negative balance of {key[1]}")
    return problems[:20]


def _trades_without_postings(connection: Connection) -> list[str]:
    """Each trade's shares against what its postings moved to or from the player."""
    trade, posting = schema.trades.c, schema.postings.c
    moved = case((trade.side == "buy", trade.shares), else_=-trade.shares)
    # Nothing is added to the account but a reason for SQLite to look the transaction
    # up: by account it reads, for each trade, all that a player traded of the artist.
    account = posting.account.concat("")
    rows = connection.execute(
        select(trade.trade_id)
        .join(
            schema.postings,
            (posting.transaction_id == trade.trade_id)
            & (account == literal("player:") + trade.player_id)
            & (posting.asset == trade.artist_id),
            isouter=True,
        )
        .where(func.coalesce(posting.amount, 0) != moved)
        .limit(20)
    )
    return [f"trade {row.trade_id} is not what was posted" for row in rows]


def _reservations_that_differ(connection: Connection) -> list[str]:
    """Cash and shares set aside, against the orders that wait."""
    placed, player = schema.orders.c, schema.players.c
    units: dict[str, int] = {}
    shares: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        select(schema.orders).where(placed.state == "queued")
    ):
        key = (row.player_id, row.artist_id)
        units[row.player_id] = units.get(row.player_id, 0) + row.reserved_units
        if row.side == "sell":
            shares[key] = shares.get(key, 0) + row.shares
    kept_units = {
        row.player_id: row.reserved_units
        for row in connection.execute(
            select(player.player_id, player.reserved_units).where(
                player.reserved_units != 0
            )
        )
    }
    kept_shares = {
        (row.player_id, row.artist_id): row.reserved_shares
        for row in connection.execute(
            select(_held.player_id, _held.artist_id, _held.reserved_shares).where(
                _held.reserved_shares != 0
            )
        )
    }
    problems = [
        f"player:{who} has {kept_units.get(who, 0)} of cash set aside but the orders"
        f" that wait need {units.get(who, 0)}"
        for who in sorted(kept_units.keys() | units.keys())
        if kept_units.get(who, 0) != units.get(who, 0)
    ]
    problems += [
        f"player:{key[0]} has {kept_shares.get(key, 0)} of {key[1]} set aside but the"
        f" orders that wait need {shares.get(key, 0)}"
        for key in sorted(kept_shares.keys() | shares.keys())
        if kept_shares.get(key, 0) != shares.get(key, 0)
    ]
    return problems[:20]


def _pools_that_differ(connection: Connection) -> list[str]:
    days = schema.dividends.c
    paid = (
        select(
            days.dividend_date.label("day"),
            func.sum(days.amount_units).label("paid"),
        )
        .group_by(days.dividend_date)
        .subquery()
    )
    settled = schema.settlements.c
    rows = connection.execute(
        select(settled.settled_date, settled.dividends_units, paid.c.paid)
        .join(paid, paid.c.day == settled.settled_date, isouter=True)
        .where(func.coalesce(paid.c.paid, 0) != settled.dividends_units)
        .limit(20)
    )
    return [
        f"dividends of {row.settled_date} come to {row.paid}, not to the pool's"
        f" {row.dividends_units}"
        for row in rows
    ]


def _prices_off_the_curve(connection: Connection) -> list[str]:
    """Prices of listed artists that are not what the shares out there make them."""
    problems = []
    listed = select(schema.listings).where(schema.listings.c.is_listed)
    for row in connection.execute(listed):
        u = pricing.displacement(row.net_shares, row.baseline_micros)
        price = pricing.spot(row.fundamental_price_units, row.depth_shares, u)
        if price != row.price_units:
            problems.append(
                f"{row.artist_id} is priced at {row.price_units} but its curve says"
                f" {price}"
            )
    return problems[:20]


def checkpoint(connection: Connection, session: int, settled_date: date) -> str:
    """Append the session's link to the hash chain; gives its hash."""
    previous = (
        connection.execute(
            select(schema.checkpoints.c.hash)
            .order_by(schema.checkpoints.c.session.desc())
            .limit(1)
        ).scalar()
        or GENESIS
    )
    digest, transactions, lines = _digest(connection, session, settled_date, previous)
    connection.execute(
        insert(schema.checkpoints).values(
            session=session,
            settled_date=settled_date,
            transactions=transactions,
            postings=lines,
            previous_hash=previous,
            hash=digest,
        )
    )
    return digest


def verify_chain(connection: Connection) -> list[str]:
    """Compute every link of the chain again; what does not fit, as sentences."""
    previous = GENESIS
    problems = []
    links: Sequence[Any] = connection.execute(
        select(schema.checkpoints).order_by(schema.checkpoints.c.session)
    ).all()
    for link in links:
        digest, transactions, lines = _digest(
            connection, link.session, link.settled_date, link.previous_hash
        )
        if link.previous_hash != previous:
            problems.append(f"checkpoint {link.session} does not follow the one before")
        if digest != link.hash:
            problems.append(
                f"session {link.session} ({link.settled_date}) was changed after its"
                f" close: {link.transactions} transactions and {link.postings} postings"
                f" were sealed, {transactions} and {lines} are there"
            )
        previous = link.hash
    return problems


def _digest(
    connection: Connection, session: int, settled_date: date, previous: str
) -> tuple[str, int, int]:
    header, posting = schema.transactions.c, schema.postings.c
    rows = connection.execute(
        select(
            header.transaction_id,
            header.kind,
            header.occurred_at,
            posting.line,
            posting.account,
            posting.asset,
            posting.amount,
        )
        .join(schema.postings, posting.transaction_id == header.transaction_id)
        .where(header.session == session)
        # Hex digits sort alike under every collation.
        .order_by(header.transaction_id, posting.line),
        execution_options={"yield_per": 5000},
    )
    digest = hashlib.sha256(f"{previous}\n{session}\n{settled_date}\n".encode())
    transactions = lines = 0
    last = None
    for row in rows:
        if row.transaction_id != last:
            last = row.transaction_id
            transactions += 1
            digest.update(f"{last} {row.kind} {iso(row.occurred_at)}\n".encode())
        lines += 1
        digest.update(f"{row.account} {row.asset} {row.amount}\n".encode())
    return digest.hexdigest(), transactions, lines


def balances(connection: Connection) -> Mapping[str, int]:
    """Totals of the economy, from the balances: units, and shares of all artists."""
    house_cash = fees = exposure = 0
    for row in connection.execute(select(schema.listings)):
        house_cash += row.house_cash_units
        fees += row.fees_units
        exposure += pricing.holding_worth(
            row.net_shares,
            row.basis_nanos,
            row.fundamental_price_units,
            row.price_units,
        )
    cash: int = connection.execute(
        select(func.coalesce(func.sum(schema.players.c.cash_units), 0))
    ).scalar_one()
    return {
        "cash_units": int(cash),
        "house_cash_units": house_cash,
        "fees_units": fees,
        "house_exposure_units": exposure,
    }
