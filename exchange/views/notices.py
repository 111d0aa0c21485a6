"""What happened to a player at the closes: fills, dividends, halts of what is held.

Nothing is stored for it: each notice is read from what the settlement wrote.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select

from exchange import schema

Kind = Literal["filled", "unfilled", "dividend", "halted"]
_KINDS: dict[str, Kind] = {
    "filled": "filled",
    "part_filled": "filled",
    "unfilled": "unfilled",
}
_listed = schema.listings.c
_settled = schema.settlements.c


@dataclass(frozen=True)
class Notice:
    """One thing a player may want to know; what does not belong to its kind is None."""

    notice_id: str
    """The same each time it is asked for."""
    kind: Kind
    noticed_at: datetime
    artist_id: str | None
    artist_name: str | None
    side: str | None = None
    shares: int | None = None
    asked_shares: int | None = None
    price_units: int | None = None
    amount_units: int | None = None
    reason: str | None = None


def notices(
    connection: Connection, player_id: str, *, limit: int
) -> tuple[Notice, ...]:
    """The newest of all kinds, newest first."""
    found = [
        *_fills(connection, player_id, limit),
        *_dividends(connection, player_id, limit),
        *_halts(connection, player_id, limit),
    ]
    found.sort(key=lambda one: (one.noticed_at, one.notice_id), reverse=True)
    return tuple(found[:limit])


def _fills(connection: Connection, player_id: str, limit: int) -> list[Notice]:
    """Orders that a close filled, in part or not at all."""
    placed = schema.orders.c
    rows = connection.execute(
        select(schema.orders, _listed.artist_name)
        .join(schema.listings, _listed.artist_id == placed.artist_id)
        .where(
            placed.player_id == player_id,
            placed.ended_at.is_not(None),
            placed.state.in_(_KINDS),
        )
        .order_by(placed.ended_at.desc(), placed.order_id)
        .limit(limit)
    )
    return [
        Notice(
            f"order-{row.order_id}",
            _KINDS[row.state],
            row.ended_at,
            row.artist_id,
            row.artist_name,
            side=row.side,
            shares=row.filled_shares,
            asked_shares=row.shares,
            price_units=row.price_units,
            reason=row.reason,
        )
        for row in rows
    ]


def _dividends(connection: Connection, player_id: str, limit: int) -> list[Notice]:
    """What each close paid, all artists together."""
    paid = schema.dividends.c
    rows = connection.execute(
        select(
            paid.dividend_date,
            _settled.settled_at,
            func.sum(paid.amount_units).label("amount"),
        )
        .join(schema.settlements, _settled.settled_date == paid.dividend_date)
        .where(paid.player_id == player_id, paid.amount_units > 0)
        .group_by(paid.dividend_date, _settled.settled_at)
        .order_by(paid.dividend_date.desc())
        .limit(limit)
    )
    return [
        Notice(
            f"dividend-{row.dividend_date}",
            "dividend",
            row.settled_at,
            None,
            None,
            amount_units=int(row.amount),
        )
        for row in rows
    ]


def _halts(connection: Connection, player_id: str, limit: int) -> list[Notice]:
    """Closes that halted an artist the player holds, the first of each halt."""
    held, price = schema.holdings.c, schema.prices.c
    rows = connection.execute(
        select(
            price.artist_id,
            price.price_date,
            _listed.artist_name,
            _settled.settled_at,
        )
        .join(schema.listings, _listed.artist_id == price.artist_id)
        .join(schema.settlements, _settled.settled_date == price.price_date)
        .join(schema.holdings, held.artist_id == price.artist_id)
        .where(
            held.player_id == player_id,
            held.shares > 0,
            price.is_halted,
            # Halts of before one held it are nobody's business of today.
            price.price_date >= func.date(held.held_since),
        )
        .order_by(price.artist_id, price.price_date)
    )
    found = []
    halted: tuple[str, date] | None = None
    for row in rows:
        if halted != (row.artist_id, row.price_date - timedelta(days=1)):
            found.append(
                Notice(
                    f"halt-{row.artist_id}-{row.price_date}",
                    "halted",
                    row.settled_at,
                    row.artist_id,
                    row.artist_name,
                )
            )
        halted = (row.artist_id, row.price_date)
    return sorted(found, key=lambda one: one.noticed_at)[-limit:]
