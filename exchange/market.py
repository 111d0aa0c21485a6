"""The market's durable row: open, closed or halted, and the locks around it.

A market that a failed day left closed takes orders only: `stale_since` says since when.

Trades share-lock the row, closing and settling lock it; so closing waits for trades in
flight, and no trade can start once it has begun. Any other state than open counts as
closed. A halt is for people to lift, with `reopen`.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Any

from sqlalchemy import Connection, insert, select, update

from exchange import schema
from exchange.clock import Clock, iso, new_id
from exchange.database import Database
from exchange.errors import Refusal
from exchange.prepared import Prepared
from exchange.settings import ExchangeSettings

Market = Any
"""The row of the market, with `is_closing` beside it."""

_EVENTS_READ = 60
_RUNS_COUNTED = 7
_LEAST_RUNS = 3

#: The market's row, for statements that read more than it.
ROW = select(schema.market, schema.closing.c.is_closing).join(
    schema.closing, schema.closing.c.market_id == schema.market.c.market_id
)
COLUMNS = len(ROW.selected_columns)
SHARED = ROW.with_for_update(read=True, of=schema.market)
_exclusive = ROW.with_for_update(of=schema.market)
_shared = Prepared(SHARED)
_unlocked = Prepared(ROW)


def lock_shared(connection: Connection) -> Market:
    """The market's row under a shared lock, for as long as the transaction lasts."""
    return require_founded(_shared.first(connection))


def read_state(connection: Connection) -> Market:
    """The market's row as it is, without a lock."""
    return require_founded(_unlocked.first(connection))


def require_founded(row: Any) -> Market:
    """Refuse where there is no market yet."""
    if row is None:
        raise Refusal("market_closed", "The exchange has not been founded yet.")
    return row


def lock(connection: Connection) -> Market:
    """The market's row locked: nobody trades until this transaction ends."""
    return connection.execute(_exclusive).one()


def require_open(market: Market) -> None:
    """Refuse unless the market is open and not about to close."""
    if market.state == "halted":
        raise halted(market.reason)
    if takes_orders_only(market):
        raise Refusal(
            "market_closed",
            "The day's prices could not be made: the market takes orders only since"
            f" {market.stale_since:%Y-%m-%d %H:%M} UTC, on the prices of"
            f" {market.last_settled_date}.",
            stale_since=iso(market.stale_since),
        )
    if market.state != "open" or market.is_closing:
        raise Refusal(
            "market_closed",
            "The market is closed while new prices are made.",
            reopens_at=iso(market.expected_open_at),
        )


def halted(reason: str) -> Refusal:
    """What everybody is told who comes to a halted market."""
    return Refusal(
        "market_halted",
        "The market is halted until a person has looked at it.",
        reason=reason,
    )


def takes_orders_only(market: Market) -> bool:
    """Whether a failed day left the market closed and no run works on it."""
    return (
        market.state == "closed"
        and market.stale_since is not None
        and market.expected_open_at is None
    )


def shown_state(market: Market) -> str:
    """``open``, ``closing``, ``closed``, ``orders only`` or ``halted``."""
    if takes_orders_only(market):
        return "orders only"
    if market.state == "open" and market.is_closing:
        return "closing"
    return str(market.state)


def close_market(
    database: Database,
    clock: Clock,
    settings: ExchangeSettings,
    *,
    fence: int = 0,
    reason: str = "new prices are being made",
    expected_open_at: datetime | None = None,
) -> None:
    """Close the market and wait for the trades in flight; safe to repeat.

    Raises `Refusal('superseded')` for a run older than the one that closed it last.
    """

    def announce(connection: Connection) -> None:
        _check_fence(read_state(connection), fence)
        connection.execute(update(schema.closing).values(is_closing=True))

    def close_now(connection: Connection) -> None:
        now = clock()
        market = lock(connection)
        _check_fence(market, fence)
        expected = expected_open_at or now + _usual_length(connection, settings)
        changes: dict[str, Any] = {"fence": fence, "expected_open_at": expected}
        if market.state == "open":
            changes |= {
                "state": "closed",
                "reason": reason,
                "closed_at": now,
                "openings": market.openings + 1,
            }
        elif market.closed_at is None:
            changes["closed_at"] = now
        connection.execute(update(schema.market).values(**changes))
        if market.state == "open":
            note(connection, clock, "closed", f"run {fence}", reason)

    database.run(announce)
    database.run(close_now)


def _usual_length(connection: Connection, settings: ExchangeSettings) -> timedelta:
    """How long a run keeps the market closed: the median of the last that opened it.

    As set while fewer than three are known. What a person closed or opened, and a day
    that failed in between, says nothing about a run.
    """
    event = schema.market_events.c
    rows = connection.execute(
        select(event.event, event.actor, event.occurred_at)
        .order_by(event.occurred_at.desc(), event.event_id.desc())
        .limit(_EVENTS_READ)
    ).all()[::-1]
    lengths: list[timedelta] = [
        after.occurred_at - before.occurred_at
        for before, after in pairwise(rows)
        if (before.event, after.event) == ("closed", "opened")
        and before.actor == after.actor
        and before.actor.startswith("run ")
    ][-_RUNS_COUNTED:]
    if len(lengths) < _LEAST_RUNS:
        return timedelta(minutes=settings.expected_closed_minutes)
    return median_low(lengths)


def open_market(
    database: Database,
    clock: Clock,
    *,
    fence: int = 0,
    version: str | None = None,
    actor: str | None = None,
) -> bool:
    """Open the market again; False when it is halted or never had prices.

    A halted market stays halted: see `reopen`.
    """

    def action(connection: Connection) -> bool:
        market = lock(connection)
        _check_fence(market, fence)
        if market.state == "halted" or market.last_settled_date is None:
            return False
        _set_open(connection, clock, actor or f"run {fence}", version)
        return True

    return database.run(action)


def leave_to_orders(database: Database, clock: Clock, *, fence: int) -> bool:
    """After a failed day: orders queue on the prices there are; False where they did.

    What closed the market is this run, or one before it that died. A market that a
    person closed, or that never had prices, stays as it is.
    """

    def action(connection: Connection) -> bool:
        market = lock(connection)
        if (
            not (market.state == "closed" and 0 < market.fence <= fence)
            or market.last_settled_date is None
            or takes_orders_only(market)
        ):
            return False
        connection.execute(
            update(schema.market).values(
                stale_since=market.stale_since or market.closed_at or clock(),
                reason="the day's prices could not be made; orders wait for the next",
                expected_open_at=None,
            )
        )
        note(connection, clock, "orders only", f"run {fence}", None)
        return True

    return database.run(action)


def was_left_by_a_run(market: Market) -> bool:
    """Whether a run closed the market, or began to, and did not open it again.

    What a person closed bears no fence.
    """
    if market.state == "open":
        return bool(market.is_closing)
    return bool(market.state == "closed" and market.fence > 0)


def reopen(connection: Connection, clock: Clock, actor: str, reason: str) -> None:
    """A person opens a closed or halted market, and says why."""
    market = lock(connection)
    if market.last_settled_date is None:
        raise Refusal("market_closed", "There are no prices yet; run make daily.")
    note(connection, clock, "reopened", actor, reason)
    _set_open(connection, clock, actor, None)


def halt(
    connection: Connection,
    clock: Clock,
    actor: str,
    reason: str,
    *,
    evidence: str | None = None,
) -> None:
    """Stop all trading until a person reopens; safe to repeat.

    Args:
        reason: what everybody reads.
        evidence: what the market's journal keeps in its place, for the operator.
    """
    market = lock(connection)
    if market.state != "halted":
        changes: dict[str, Any] = {"state": "halted", "reason": reason}
        if market.state == "open":
            changes |= {"openings": market.openings + 1, "closed_at": clock()}
        connection.execute(update(schema.market).values(**changes))
        note(connection, clock, "halted", actor, evidence or reason)


def suspend_artist(
    connection: Connection, clock: Clock, actor: str, artist_id: str, reason: str
) -> None:
    """A person halts one artist; an empty reason lifts it."""
    lock(connection)
    changed = connection.execute(
        update(schema.listings)
        .where(schema.listings.c.artist_id == artist_id)
        .values(is_suspended=bool(reason), halt_reason=reason or None)
    )
    if changed.rowcount == 0:
        raise Refusal("unknown_artist", f"artist {artist_id!r} was never listed")
    note(
        connection,
        clock,
        "artist suspended" if reason else "artist released",
        actor,
        f"{artist_id} {reason}".strip(),
    )


def prepare(connection: Connection, clock: Clock, secret: str) -> None:
    """Insert the single rows of a new exchange; its market is closed."""
    if connection.execute(select(schema.market.c.market_id)).first() is None:
        connection.execute(
            insert(schema.market).values(
                market_id=1, state="closed", reason="no prices yet"
            )
        )
        connection.execute(insert(schema.closing).values(market_id=1, is_closing=False))
        connection.execute(insert(schema.secrets).values(name="quotes", value=secret))
        note(connection, clock, "founded", "exchange", None)


def begin_again(
    connection: Connection, clock: Clock, actor: str, reason: str, session: int
) -> None:
    """A person begins a new exchange after the old one was lost, and says why.

    Args:
        session: past every session of the lost exchange, whose trades are kept.
    """
    connection.execute(update(schema.market).values(session=session, openings=session))
    note(connection, clock, "founded again", actor, reason)


def quote_key(connection: Connection) -> bytes:
    """What quotes are signed with; made once, kept in the database."""
    value: str = connection.execute(
        select(schema.secrets.c.value).where(schema.secrets.c.name == "quotes")
    ).scalar_one()
    return bytes.fromhex(value)


def note(
    connection: Connection, clock: Clock, event: str, actor: str, reason: str | None
) -> None:
    now = clock()
    connection.execute(
        insert(schema.market_events).values(
            event_id=new_id(now),
            event=event,
            actor=actor,
            reason=reason,
            occurred_at=now,
        )
    )


def _set_open(
    connection: Connection, clock: Clock, actor: str, version: str | None
) -> None:
    now = clock()
    changes: dict[str, Any] = {
        "state": "open",
        "reason": None,
        "opened_at": now,
        "expected_open_at": None,
        "stale_since": None,
    }
    if version is not None:
        changes["version"] = version
    connection.execute(update(schema.market).values(**changes))
    connection.execute(update(schema.closing).values(is_closing=False))
    note(connection, clock, "opened", actor, version)


def _check_fence(market: Market, fence: int) -> None:
    if fence and fence < market.fence:
        raise Refusal(
            "superseded",
            f"run {fence} is older than run {market.fence}, which has the market",
        )
