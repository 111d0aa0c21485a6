"""What a player owns and did, and what others may see of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from exchange import boards, pricing, schema, trading
from exchange.errors import Refusal
from exchange.leagues import is_simulated
from exchange.settings import LEAGUES, PPM
from exchange.trophies import RULES

_listed = schema.listings.c
_held = schema.holdings.c
_player = schema.players.c


@dataclass(frozen=True)
class Player:
    """A player's name, choices and league."""

    player_id: str
    player_name: str
    is_public: bool
    has_seen_tour: bool
    has_chosen_name: bool
    joined_at: datetime
    life: int
    points: int
    league: str
    cohort: int
    is_simulated: bool
    """Nobody plays it: one of the cast of an invented world."""


@dataclass(frozen=True)
class Holding:
    """The shares of one artist that a player owns."""

    artist_id: str
    artist_name: str
    shares: int
    price_units: int
    own_price_units: int
    """What the first share of a sale would pay; `worth_units` counts all at it."""
    sale_units: int
    """What a sale of all of them would pay now, before the fee."""
    reserved_shares: int
    close_price_units: int
    worth_units: int
    cost_units: int
    return_ppm: int | None
    held_since: datetime | None
    is_halted: bool


@dataclass(frozen=True)
class Portfolio(Player):
    """Cash, holdings with worth and return, net worth, and how it has gone."""

    cash_units: int
    reserved_units: int
    """Of the cash, what orders that wait have set aside."""
    holdings_units: int
    worth_units: int
    day_return_ppm: int
    season_return_ppm: int
    lifetime_return_ppm: int
    holdings: tuple[Holding, ...]


@dataclass(frozen=True)
class Standing:
    """How a player stands, in three numbers."""

    cash_units: int
    reserved_units: int
    worth_units: int
    day_return_ppm: int


@dataclass(frozen=True)
class Place:
    """A player's rank on one board and the measure it ranks by."""

    rank: int
    measure: int


@dataclass(frozen=True)
class Trophy:
    """A trophy, and the artist it was won with where there is one."""

    trophy: str
    title: str
    won_date: date
    artist_id: str | None


@dataclass(frozen=True)
class Profile(Player):
    """What others may see of a player."""

    worth_units: int
    boards: Mapping[str, Place]
    trophies: tuple[Trophy, ...]


@dataclass(frozen=True)
class Trade:
    """One trade of a player."""

    trade_id: str
    artist_id: str
    artist_name: str
    side: str
    shares: int
    price_units: int
    value_units: int
    fee_units: int
    kind: str
    traded_at: datetime


@dataclass(frozen=True)
class Trades:
    """A part of a player's trades; `next` is the offset of the part after it."""

    trades: tuple[Trade, ...]
    next: int | None


@dataclass(frozen=True)
class Order:
    """One order for the open."""

    order_id: str
    artist_id: str
    artist_name: str
    side: str
    shares: int
    limit_units: int | None
    reserved_units: int
    state: str
    reason: str | None
    filled_shares: int
    price_units: int | None
    placed_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Orders:
    """A part of a player's orders; `next` is the offset of the part after it."""

    orders: tuple[Order, ...]
    next: int | None


@dataclass(frozen=True)
class WorthDay:
    """A player at one close."""

    date: date
    cash_units: int
    holdings_units: int
    worth_units: int
    dividends_units: int
    fees_units: int
    trades: int
    points: int
    return_ppm: int
    life: int


@dataclass(frozen=True)
class Dividend:
    """What one holding was paid at one close."""

    date: date
    artist_id: str
    artist_name: str
    shares: int
    amount_units: int


@dataclass(frozen=True)
class Dividends:
    """All that was paid, and a part of it; `next` is the offset of the part after."""

    total_units: int
    dividends: tuple[Dividend, ...]
    next: int | None


@dataclass(frozen=True)
class FriendsLeague:
    """A league among friends that a player is in."""

    league_id: str
    league_name: str
    code: str
    is_owner: bool
    joined_at: datetime


def portfolio(connection: Connection, player_id: str) -> Portfolio:
    """A player's own view of cash and holdings, that of the most worth first."""
    player = _row(connection, player_id)
    if player is None:
        raise Refusal("unknown_player", "There is no such player.")
    rows = connection.execute(
        select(
            _listed.artist_name,
            _listed.price_units,
            _listed.close_price_units,
            _listed.fundamental_price_units,
            _listed.depth_shares,
            _listed.net_shares,
            _listed.baseline_micros,
            _listed.is_halted,
            _listed.is_suspended,
            schema.holdings,
        )
        .join(schema.listings, _listed.artist_id == _held.artist_id)
        .where(_held.player_id == player_id, _held.shares > 0)
    )
    holdings = tuple(
        sorted(
            (_holding(row) for row in rows),
            key=lambda one: (-one.worth_units, one.artist_id),
        )
    )
    holdings_units = sum(holding.worth_units for holding in holdings)
    worth = player.cash_units + holdings_units
    index = player.wealth_index * worth // player.base_units
    life = player.life_index * worth // player.base_units
    return Portfolio(
        **_profile(player),
        cash_units=player.cash_units,
        reserved_units=player.reserved_units,
        holdings_units=holdings_units,
        worth_units=worth,
        day_return_ppm=_day_return_ppm(player, worth),
        season_return_ppm=boards.return_ppm(index, player.season_index),
        lifetime_return_ppm=boards.return_ppm(life, boards.START),
        holdings=holdings,
    )


def standing(connection: Connection, player_id: str) -> Standing | None:
    """Cash, net worth and the day's change; None for who has left."""
    player = _row(connection, player_id)
    if player is None:
        return None
    worth = trading.net_worth(connection, player_id, player.cash_units)
    return Standing(
        player.cash_units, player.reserved_units, worth, _day_return_ppm(player, worth)
    )


def _day_return_ppm(player: Row[Any], worth_units: int) -> int:
    return int((worth_units - player.base_units) * PPM // player.base_units)


def _holding(row: Row[Any]) -> Holding:
    worth = pricing.holding_worth(
        row.shares, row.basis_nanos, row.fundamental_price_units, row.price_units
    )
    cost = row.cost_units
    return Holding(
        artist_id=row.artist_id,
        artist_name=row.artist_name,
        shares=row.shares,
        price_units=row.price_units,
        own_price_units=worth // row.shares,
        sale_units=trading.value_of(row, row, "sell", row.shares),
        reserved_shares=row.reserved_shares,
        close_price_units=row.close_price_units,
        worth_units=worth,
        cost_units=cost,
        return_ppm=(worth - cost) * PPM // cost if cost else None,
        held_since=row.held_since,
        is_halted=bool(row.is_halted or row.is_suspended),
    )


def _row(connection: Connection, player_id: str) -> Row[Any] | None:
    """The row of a player who has not left."""
    return connection.execute(
        select(schema.players).where(
            _player.player_id == player_id, _player.left_at.is_(None)
        )
    ).first()


def _profile(player: Row[Any]) -> dict[str, Any]:
    """A player's row as the fields of a `Player`."""
    return {
        "player_id": player.player_id,
        "player_name": player.player_name,
        "is_public": bool(player.is_public),
        "has_seen_tour": bool(player.has_seen_tour),
        "has_chosen_name": player.named_at is not None,
        "joined_at": player.joined_at,
        "life": player.life,
        "points": player.points,
        "league": LEAGUES[player.league_tier],
        "cohort": player.cohort,
        "is_simulated": is_simulated(player.account_id),
    }


def profile(connection: Connection, viewer_id: str | None, player_id: str) -> Profile:
    """What others may see of a player: nothing, unless the player is public."""
    player = _row(connection, player_id)
    if player is None or not (player.is_public or player_id == viewer_id):
        raise Refusal("unknown_player", "There is no such player.")
    place = schema.board_rows.c
    return Profile(
        **_profile(player),
        worth_units=trading.net_worth(connection, player_id, player.cash_units),
        boards={
            row.board: Place(row.rank, row.measure)
            for row in connection.execute(
                select(schema.board_rows).where(place.player_id == player_id)
            )
        },
        trophies=trophies(connection, player_id),
    )


def trophies(connection: Connection, player_id: str) -> tuple[Trophy, ...]:
    """The trophies of a player's present life."""
    won = schema.trophies.c
    return tuple(
        Trophy(row.trophy, RULES[row.trophy], row.won_date, row.artist_id)
        for row in connection.execute(
            select(schema.trophies)
            .join(schema.players, _player.player_id == won.player_id)
            .where(won.player_id == player_id, won.life == _player.life)
            .order_by(won.won_date, won.trophy)
        )
    )


_trade = schema.trades.c
_trades = select(
    _trade.trade_id,
    _trade.artist_id,
    _listed.artist_name,
    _trade.side,
    _trade.shares,
    _trade.price_units,
    _trade.value_units,
    _trade.fee_units,
    _trade.kind,
    _trade.traded_at,
).join(schema.listings, _listed.artist_id == _trade.artist_id)
_placed = schema.orders.c
_orders = select(
    _placed.order_id,
    _placed.artist_id,
    _listed.artist_name,
    _placed.side,
    _placed.shares,
    _placed.limit_units,
    _placed.reserved_units,
    _placed.state,
    _placed.reason,
    _placed.filled_shares,
    _placed.price_units,
    _placed.placed_at,
    _placed.ended_at,
).join(schema.listings, _listed.artist_id == _placed.artist_id)


def history(
    connection: Connection, player_id: str, *, limit: int = 50, offset: int = 0
) -> Trades:
    """A player's trades, newest first."""
    rows = connection.execute(
        _trades.where(_trade.player_id == player_id)
        .order_by(_trade.traded_at.desc(), _trade.trade_id.desc())
        .limit(limit + 1)
        .offset(offset)
    ).all()
    return Trades(
        tuple(Trade(**row._asdict()) for row in rows[:limit]),
        offset + limit if len(rows) > limit else None,
    )


def done(connection: Connection, player_id: str, done_id: str) -> Trade | Order | None:
    """A trade or an order of the player's by its identifier; None for anybody else."""
    row = connection.execute(
        _trades.where(_trade.player_id == player_id, _trade.trade_id == done_id)
    ).first()
    if row is not None:
        return Trade(**row._asdict())
    row = connection.execute(
        _orders.where(_placed.player_id == player_id, _placed.order_id == done_id)
    ).first()
    return Order(**row._asdict()) if row is not None else None


def orders(
    connection: Connection,
    player_id: str,
    *,
    state: str | None = None,
    artist_id: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Orders:
    """A player's orders, newest first."""
    query = (
        _orders.where(_placed.player_id == player_id)
        .order_by(_placed.placed_at.desc(), _placed.order_id.desc())
        .limit(limit + 1)
        .offset(offset)
    )
    if state is not None:
        query = query.where(_placed.state == state)
    if artist_id is not None:
        query = query.where(_placed.artist_id == artist_id)
    rows = connection.execute(query).all()
    return Orders(
        tuple(Order(**row._asdict()) for row in rows[:limit]),
        offset + limit if len(rows) > limit else None,
    )


def worth_days(
    connection: Connection, player_id: str, *, since: date | None = None
) -> tuple[WorthDay, ...]:
    """A player's net worth at each close, oldest first."""
    day = schema.account_days.c
    query = (
        select(schema.account_days)
        .where(day.player_id == player_id)
        .order_by(day.account_date)
    )
    if since is not None:
        query = query.where(day.account_date >= since)
    return tuple(
        WorthDay(
            date=row.account_date,
            cash_units=row.cash_units,
            holdings_units=row.holdings_units,
            worth_units=row.worth_units,
            dividends_units=row.dividends_units,
            fees_units=row.fees_units,
            trades=row.trades,
            points=row.points,
            return_ppm=(row.worth_units - row.base_units) * PPM // row.base_units,
            life=row.life,
        )
        for row in connection.execute(query)
    )


def dividends(
    connection: Connection, player_id: str, *, limit: int = 50, offset: int = 0
) -> Dividends:
    """A player's dividends, newest first, and their sum."""
    paid = schema.dividends.c
    rows = connection.execute(
        select(
            paid.dividend_date.label("date"),
            paid.artist_id,
            _listed.artist_name,
            paid.shares,
            paid.amount_units,
        )
        .join(schema.listings, _listed.artist_id == paid.artist_id)
        .where(paid.player_id == player_id)
        .order_by(paid.dividend_date.desc(), paid.amount_units.desc(), paid.artist_id)
        .limit(limit + 1)
        .offset(offset)
    ).all()
    total: int = connection.execute(
        select(func.coalesce(func.sum(paid.amount_units), 0)).where(
            paid.player_id == player_id
        )
    ).scalar_one()
    return Dividends(
        int(total),
        tuple(Dividend(**row._asdict()) for row in rows[:limit]),
        offset + limit if len(rows) > limit else None,
    )


def friends_leagues(
    connection: Connection, player_id: str
) -> tuple[FriendsLeague, ...]:
    """The leagues a player is in, with their codes."""
    members = schema.friend_league_members
    return tuple(
        FriendsLeague(
            row.league_id,
            row.league_name,
            row.code,
            row.owner_id == player_id,
            row.joined_at,
        )
        for row in connection.execute(
            select(schema.friend_leagues, members.c.joined_at)
            .join(members, members.c.league_id == schema.friend_leagues.c.league_id)
            .where(members.c.player_id == player_id)
            .order_by(members.c.joined_at, schema.friend_leagues.c.league_id)
        )
    )
