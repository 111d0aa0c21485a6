"""What is on the market: lists of artists, one artist, the economy. Read only."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, Float, Row, Select, cast, func, select

from exchange import market, schema
from exchange.clock import iso
from exchange.errors import Refusal
from exchange.settings import PPM

ListName = Literal["dearest", "most_traded", "popular", "risers", "fallers", "recent"]
LISTS: tuple[ListName, ...] = (
    "dearest",
    "most_traded",
    "popular",
    "risers",
    "fallers",
    "recent",
)
_listed = schema.listings.c


def status(connection: Connection) -> dict[str, Any]:
    """Whether one can trade, since when, and when it is expected again."""
    state = market.look(connection)
    is_open = state.state == "open" and not state.is_closing
    return {
        "state": "closed" if state.state == "open" and not is_open else state.state,
        "is_open": is_open,
        "reason": state.reason,
        "opened_at": iso(state.opened_at),
        "closed_at": iso(state.closed_at),
        "reopens_at": iso(state.expected_open_at),
        "priced_at": iso(state.priced_at),
        "prices_version": state.version,
        "last_settled_date": state.last_settled_date.isoformat()
        if state.last_settled_date
        else None,
    }


def artists(
    connection: Connection,
    name: str,
    *,
    tag: str | None = None,
    limit: int = 25,
    offset: int = 0,
) -> dict[str, Any]:
    """One list of listed artists; ties are broken by the artist's key."""
    if name not in LISTS:
        raise Refusal("invalid_request", f"lists are {', '.join(LISTS)}")
    query = select(schema.listings).where(_listed.is_listed)
    if tag is not None:
        query = query.where(_listed.top_tag == tag)
    change = cast(_listed.price_units, Float) / _listed.previous_close_units
    if name == "dearest":
        query = query.order_by(_listed.price_units.desc())
    elif name == "most_traded":
        query = _most_traded(connection, query)
    elif name == "popular":
        query = query.order_by(_listed.listeners.desc())
    elif name == "risers":
        query = query.where(
            _listed.price_units > _listed.previous_close_units
        ).order_by(change.desc())
    elif name == "fallers":
        query = query.where(
            _listed.price_units < _listed.previous_close_units
        ).order_by(change)
    else:
        query = query.where(_listed.traded_at.is_not(None)).order_by(
            _listed.traded_at.desc()
        )
    rows = connection.execute(
        query.order_by(_listed.artist_id).limit(limit + 1).offset(offset)
    ).all()
    return {
        "list": name,
        "artists": [shown(row) for row in rows[:limit]],
        "next": offset + limit if len(rows) > limit else None,
    }


def _most_traded(connection: Connection, query: Select[Any]) -> Select[Any]:
    """By trades of the last seven closes and the present session."""
    price = schema.prices.c
    days = (
        select(schema.settlements.c.settled_date)
        .order_by(schema.settlements.c.settled_date.desc())
        .limit(7)
    )
    first = min(connection.execute(days).scalars(), default=date.min)
    week = (
        select(price.artist_id, func.sum(price.trades).label("trades"))
        .where(price.price_date >= first)
        .group_by(price.artist_id)
        .subquery()
    )
    trades = func.coalesce(week.c.trades, 0) + _listed.session_trades
    return (
        query.join(week, week.c.artist_id == _listed.artist_id, isouter=True)
        .where(trades > 0)
        .order_by(trades.desc())
    )


def chosen(
    connection: Connection, artist_ids: Sequence[str], *, not_owned_by: str | None
) -> list[dict[str, Any]]:
    """Listed artists of a given order, without those a player owns.

    The recommendations of a player's own listening come from the marts; here they
    meet the market.
    """
    owned: set[str] = set()
    if not_owned_by is not None:
        held = schema.holdings.c
        owned = set(
            connection.execute(
                select(held.artist_id).where(
                    held.player_id == not_owned_by, held.shares > 0
                )
            ).scalars()
        )
    wanted = [one for one in artist_ids if one not in owned]
    rows = {
        row.artist_id: row
        for row in connection.execute(
            select(schema.listings).where(
                _listed.artist_id.in_(wanted), _listed.is_listed
            )
        )
    }
    return [shown(rows[one]) for one in wanted if one in rows]


def shown(row: Row[Any]) -> dict[str, Any]:
    """One artist as every list shows it."""
    before = row.previous_close_units
    return {
        "artist_id": row.artist_id,
        "artist_name": row.artist_name,
        "top_tag": row.top_tag,
        "price_units": row.price_units,
        "close_price_units": row.close_price_units,
        "fundamental_price_units": row.fundamental_price_units,
        "change_ppm": (row.price_units - before) * PPM // before,
        "listeners": row.listeners,
        "session_trades": row.session_trades,
        "is_halted": bool(row.is_halted or row.is_suspended),
        "halt_reason": row.halt_reason,
        "traded_at": iso(row.traded_at),
    }


def artist(connection: Connection, artist_id: str) -> dict[str, Any]:
    """One artist on the market."""
    row = connection.execute(
        select(schema.listings).where(_listed.artist_id == artist_id)
    ).first()
    if row is None:
        raise Refusal("unknown_artist", f"Artist {artist_id!r} was never listed.")
    held = schema.holdings.c
    holders = connection.execute(
        select(func.count()).where(held.artist_id == artist_id, held.shares > 0)
    ).scalar_one()
    return {
        **shown(row),
        "is_listed": bool(row.is_listed),
        "listed_date": row.listed_date.isoformat(),
        "depth_shares": row.depth_shares,
        "shares_held": row.net_shares,
        "holders": holders,
        "sigma_ppm": row.sigma_ppm,
    }


def price_days(
    connection: Connection,
    artist_id: str,
    *,
    since: date | None = None,
    until: date | None = None,
) -> list[dict[str, Any]]:
    """An artist's closing prices, points and dividends by day, oldest first."""
    price = schema.prices.c
    query = (
        select(schema.prices)
        .where(price.artist_id == artist_id)
        .order_by(price.price_date)
    )
    if since is not None:
        query = query.where(price.price_date >= since)
    if until is not None:
        query = query.where(price.price_date <= until)
    return [
        {
            "date": row.price_date.isoformat(),
            "close_price_units": row.close_price_units,
            "fundamental_price_units": row.fundamental_price_units,
            "clearing_price_units": row.clearing_price_units,
            "points": row.points,
            "dividend_units": row.dividend_units,
            "trades": row.trades,
            "shares_traded": row.shares_traded,
            "is_halted": bool(row.is_halted),
        }
        for row in connection.execute(query)
    ]


def economy(connection: Connection, *, days: int = 90) -> list[dict[str, Any]]:
    """The report of the last days, oldest first."""
    rows = connection.execute(
        select(schema.economy_days)
        .order_by(schema.economy_days.c.economy_date.desc())
        .limit(days)
    ).mappings()
    report = []
    for row in rows:
        shown_row = {str(name): value for name, value in row.items()}
        shown_row["date"] = shown_row.pop("economy_date").isoformat()
        shown_row["is_rolled"] = bool(shown_row["is_rolled"])
        report.append(shown_row)
    return report[::-1]


def season(connection: Connection) -> dict[str, Any] | None:
    """The season that runs; its end is never told before it has come."""
    row = connection.execute(
        select(schema.seasons).where(schema.seasons.c.end_date.is_(None))
    ).first()
    if row is None:
        return None
    return {"season": row.season, "start_date": row.start_date.isoformat()}
