"""What is on the market: its state, lists of artists, one artist, the economy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Float, Row, Select, cast, func, select

from exchange import market, schema
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
_held = schema.holdings.c


@dataclass(frozen=True)
class Season:
    """The season that runs; its end is drawn by lot and shown only once it is over."""

    season: int
    start_date: date


@dataclass(frozen=True)
class Status:
    """Whether one can trade, since when, and when it is expected again."""

    state: str
    is_open: bool
    reason: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    stale_since: datetime | None
    reopens_at: datetime | None
    priced_at: datetime | None
    prices_version: str | None
    last_settled_date: date | None
    season: Season | None


@dataclass(frozen=True)
class ArtistRow:
    """One artist as every list shows it."""

    artist_id: str
    artist_name: str
    top_tag: str | None
    price_units: int
    close_price_units: int
    fundamental_price_units: int
    change_ppm: int
    listeners: int
    session_trades: int
    is_halted: bool
    halt_reason: str | None
    traded_at: datetime | None


@dataclass(frozen=True)
class Artist(ArtistRow):
    """One artist with what its own page says."""

    is_listed: bool
    listed_date: date
    depth_shares: int
    shares_held: int
    holders: int
    sigma_ppm: int


@dataclass(frozen=True)
class ArtistList:
    """A part of one list; `next` is the offset of the part after it."""

    list: str
    artists: tuple[ArtistRow, ...]
    next: int | None


@dataclass(frozen=True)
class Recommended:
    """Artists recommended to one player."""

    artists: tuple[ArtistRow, ...]


@dataclass(frozen=True)
class PriceDay:
    """An artist at one close."""

    date: date
    close_price_units: int
    fundamental_price_units: int
    clearing_price_units: int | None
    points: int
    dividend_units: int
    trades: int
    shares_traded: int
    is_halted: bool


@dataclass(frozen=True)
class IndexDay:
    """The mean closing price of the listed artists: one share of each."""

    date: date
    price_units: int


@dataclass(frozen=True)
class EconomyDay:
    """The report of one close."""

    players: int
    active_players: int
    money_supply_units: int
    holdings_units: int
    fees_units: int
    issuance_units: int
    starting_grants_units: int
    dividends_units: int
    carried_units: int
    house_cash_units: int
    house_exposure_units: int
    trades: int
    orders_filled: int
    value_traded_units: int
    listed_artists: int
    halted_artists: int
    is_rolled: bool
    date: date


def status(connection: Connection) -> Status:
    """The market's state and the season that runs."""
    state = market.read_state(connection)
    shown = market.shown_state(state)
    is_open = shown == "open"
    return Status(
        state="closed" if shown == "closing" else shown,
        is_open=is_open,
        reason=state.reason,
        opened_at=state.opened_at,
        closed_at=state.closed_at,
        stale_since=state.stale_since,
        reopens_at=state.expected_open_at,
        priced_at=state.priced_at,
        prices_version=state.version,
        last_settled_date=state.last_settled_date,
        season=_season(connection),
    )


def _season(connection: Connection) -> Season | None:
    row = connection.execute(
        select(schema.seasons).where(schema.seasons.c.end_date.is_(None))
    ).first()
    return Season(row.season, row.start_date) if row is not None else None


def artist_list(
    connection: Connection,
    name: str,
    *,
    tag: str | None = None,
    limit: int = 25,
    offset: int = 0,
) -> ArtistList:
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
    return ArtistList(
        name,
        tuple(ArtistRow(**_columns(row)) for row in rows[:limit]),
        offset + limit if len(rows) > limit else None,
    )


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


def recommended(
    connection: Connection, player_id: str, artist_ids: Sequence[str]
) -> Recommended:
    """The first 50 of the given artists that are listed and the player does not own.

    The recommendations of a player's own listening come from the marts; here they
    meet the market.
    """
    owned: set[str] = set(
        connection.execute(
            select(_held.artist_id).where(
                _held.player_id == player_id, _held.shares > 0
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
    shown = [ArtistRow(**_columns(rows[one])) for one in wanted if one in rows]
    return Recommended(tuple(shown[:50]))


def _columns(row: Row[Any]) -> dict[str, Any]:
    """A listing as the fields of an `ArtistRow`."""
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
        "traded_at": row.traded_at,
    }


def artist(connection: Connection, artist_id: str) -> Artist:
    """One artist on the market."""
    row = _listing(connection, artist_id)
    holders = connection.execute(
        select(func.count()).where(_held.artist_id == artist_id, _held.shares > 0)
    ).scalar_one()
    return Artist(
        **_columns(row),
        is_listed=bool(row.is_listed),
        listed_date=row.listed_date,
        depth_shares=row.depth_shares,
        shares_held=row.net_shares,
        holders=holders,
        sigma_ppm=row.sigma_ppm,
    )


def _listing(connection: Connection, artist_id: str) -> Row[Any]:
    row = connection.execute(
        select(schema.listings).where(_listed.artist_id == artist_id)
    ).first()
    if row is None:
        raise Refusal("unknown_artist", f"Artist {artist_id!r} was never listed.")
    return row


def price_days(
    connection: Connection,
    artist_id: str,
    *,
    since: date | None = None,
    until: date | None = None,
) -> tuple[PriceDay, ...]:
    """An artist's closing prices, points and dividends by day, oldest first."""
    _listing(connection, artist_id)
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
    return tuple(
        PriceDay(
            date=row.price_date,
            close_price_units=row.close_price_units,
            fundamental_price_units=row.fundamental_price_units,
            clearing_price_units=row.clearing_price_units,
            points=row.points,
            dividend_units=row.dividend_units,
            trades=row.trades,
            shares_traded=row.shares_traded,
            is_halted=bool(row.is_halted),
        )
        for row in connection.execute(query)
    )


def index_days(connection: Connection, *, since: date) -> tuple[IndexDay, ...]:
    """What one share of each listed artist cost at each close, oldest first."""
    price = schema.prices.c
    rows = connection.execute(
        select(
            price.price_date,
            func.sum(price.close_price_units).label("total"),
            func.count().label("artists"),
        )
        .where(price.price_date >= since, price.is_listed)
        .group_by(price.price_date)
        .order_by(price.price_date)
    )
    return tuple(
        IndexDay(row.price_date, int(row.total) // row.artists) for row in rows
    )


def economy(connection: Connection, *, days: int = 90) -> tuple[EconomyDay, ...]:
    """The report of the last days, oldest first."""
    rows = connection.execute(
        select(schema.economy_days)
        .order_by(schema.economy_days.c.economy_date.desc())
        .limit(days)
    ).mappings()
    report = []
    for row in rows:
        columns = {str(name): value for name, value in row.items()}
        columns["date"] = columns.pop("economy_date")
        columns["is_rolled"] = bool(columns["is_rolled"])
        report.append(EconomyDay(**columns))
    return tuple(reversed(report))
