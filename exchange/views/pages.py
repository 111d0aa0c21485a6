"""What each page of the exchange needs, on one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from exchange import leagues, trading
from exchange.clock import Clock
from exchange.errors import Refusal
from exchange.quotes import Side
from exchange.settings import ExchangeSettings
from exchange.views import boards, market, notices, order_ticket, players
from exchange.views.order_ticket import Ticket

_SPREAD = 5
"""Artists a player owns who has done the tour's step on spreading."""


@dataclass(frozen=True)
class Frame:
    """What stands above every page: the market, and how the player who looks stands."""

    status: market.Status
    standing: players.Standing | None


@dataclass(frozen=True)
class MarketPage:
    frame: Frame
    artists: tuple[market.ArtistRow, ...]
    next: int | None


@dataclass(frozen=True)
class Position:
    """What a player can trade with: free cash, and the holding of one artist."""

    cash_units: int
    holding: players.Holding | None


@dataclass(frozen=True)
class Asked:
    """What a player has typed or just done on an artist's page, and the rules for it.

    `done_id` is a trade or an order of the player's, to be told of.
    """

    clock: Clock
    settings: ExchangeSettings
    shares: int | None = None
    done_id: str | None = None


@dataclass(frozen=True)
class ArtistPage:
    frame: Frame
    artist: market.Artist
    prices: tuple[market.PriceDay, ...]
    own: Position | None
    tickets: tuple[Ticket, ...]
    done: players.Trade | players.Order | None
    waiting: tuple[players.Order, ...]
    """The player's own orders for this artist."""


@dataclass(frozen=True)
class TicketPart:
    """The figures of a trade, alone."""

    frame: Frame
    artist: market.Artist
    tickets: tuple[Ticket, ...]


@dataclass(frozen=True)
class QuotePage:
    """An artist's page with a quote, or with the reason why there is none."""

    page: ArtistPage
    quote: dict[str, Any] | None
    refusal: Refusal | None


@dataclass(frozen=True)
class PortfolioPage:
    frame: Frame
    portfolio: players.Portfolio
    worth: tuple[players.WorthDay, ...]
    index: tuple[market.IndexDay, ...]
    trades: players.Trades
    dividends: players.Dividends
    notices: tuple[notices.Notice, ...]


@dataclass(frozen=True)
class OrdersPage:
    frame: Frame
    orders: players.Orders


@dataclass(frozen=True)
class BoardsPage:
    frame: Frame
    board: boards.Board
    near: boards.Near | boards.NotRanked | None


@dataclass(frozen=True)
class ProfilePage:
    frame: Frame
    profile: players.Profile
    leagues: tuple[players.FriendsLeague, ...]
    open_code: str | None
    """The code of a league of simulated players, where there is one to try."""


@dataclass(frozen=True)
class EconomyPage:
    frame: Frame
    days: tuple[market.EconomyDay, ...]
    simulated: int
    """How many of the players nobody plays."""


@dataclass(frozen=True)
class TourPage:
    """`done` names the steps of the tour a player has taken."""

    frame: Frame
    done: frozenset[str]
    portfolio: players.Portfolio | None


def frame(connection: Connection, player_id: str | None) -> Frame:
    standing = None
    if player_id is not None:
        standing = players.standing(connection, player_id)
    return Frame(market.status(connection), standing)


def market_page(
    connection: Connection,
    player_id: str | None,
    name: str,
    *,
    tag: str | None,
    limit: int,
    offset: int,
) -> MarketPage:
    """One list of artists."""
    shown = market.artist_list(connection, name, tag=tag, limit=limit, offset=offset)
    return MarketPage(frame(connection, player_id), shown.artists, shown.next)


def recommended_page(
    connection: Connection, player_id: str, artist_ids: Sequence[str]
) -> MarketPage:
    """The artists recommended to a player."""
    shown = market.recommended(connection, player_id, artist_ids)
    return MarketPage(frame(connection, player_id), shown.artists, None)


def artist_page(
    connection: Connection, player_id: str | None, artist_id: str, asked: Asked
) -> ArtistPage:
    """One artist, and what the player who looks, if any, can trade with."""
    own = done = None
    tickets: tuple[Ticket, ...] = ()
    waiting: tuple[players.Order, ...] = ()
    if player_id is not None:
        portfolio = players.portfolio(connection, player_id)
        holding = [one for one in portfolio.holdings if one.artist_id == artist_id]
        own = Position(
            portfolio.cash_units - portfolio.reserved_units,
            holding[0] if holding else None,
        )
        tickets = _tickets(connection, player_id, artist_id, asked)
        waiting = players.orders(
            connection, player_id, state="queued", artist_id=artist_id
        ).orders
        if asked.done_id is not None:
            done = players.done(connection, player_id, asked.done_id)
    return ArtistPage(
        frame(connection, player_id),
        market.artist(connection, artist_id),
        market.price_days(connection, artist_id),
        own,
        tickets,
        done,
        waiting,
    )


def ticket_part(
    connection: Connection, player_id: str, artist_id: str, asked: Asked
) -> TicketPart:
    """What the amount that is being typed would come to."""
    return TicketPart(
        frame(connection, player_id),
        market.artist(connection, artist_id),
        _tickets(connection, player_id, artist_id, asked),
    )


def _tickets(
    connection: Connection, player_id: str, artist_id: str, asked: Asked
) -> tuple[Ticket, ...]:
    return order_ticket.tickets(
        connection, player_id, asked.clock, asked.settings, artist_id, asked.shares
    )


def quote_page(
    connection: Connection,
    player_id: str,
    artist_id: str,
    side: Side,
    shares: int,
    asked: Asked,
    *,
    key: bytes,
) -> QuotePage:
    """One artist with a fresh quote; both of the same prices."""
    quote = refusal = None
    given = (connection, asked.clock, asked.settings, player_id, artist_id)
    try:
        quote = trading.quote(*given, side, shares, key=key)
    except Refusal as caught:
        refusal = caught
    page = artist_page(connection, player_id, artist_id, asked)
    return QuotePage(page, quote, refusal)


def portfolio_page(
    connection: Connection, player_id: str, *, limit: int, offset: int
) -> PortfolioPage:
    """What a player owns, how it has gone, and a part of the trades."""
    worth = players.worth_days(connection, player_id)
    return PortfolioPage(
        frame(connection, player_id),
        players.portfolio(connection, player_id),
        worth,
        market.index_days(connection, since=worth[0].date) if worth else (),
        players.history(connection, player_id, limit=limit, offset=offset),
        players.dividends(connection, player_id, limit=25),
        notices.notices(connection, player_id, limit=10),
    )


def orders_page(
    connection: Connection,
    player_id: str,
    *,
    state: str | None,
    limit: int,
    offset: int,
) -> OrdersPage:
    """A player's orders for the open."""
    return OrdersPage(
        frame(connection, player_id),
        players.orders(connection, player_id, state=state, limit=limit, offset=offset),
    )


def boards_page(
    connection: Connection,
    player_id: str | None,
    name: str,
    *,
    league: str | None,
    friends_league_id: str | None,
    limit: int,
    offset: int,
) -> BoardsPage:
    """One board, and where the player who looks, if any, stands on it."""
    near = None
    if player_id is not None:
        near = boards.near(
            connection,
            player_id,
            name,
            league=league,
            friends_league_id=friends_league_id,
        )
    return BoardsPage(
        frame(connection, player_id),
        boards.board(
            connection,
            player_id,
            name,
            league=league,
            friends_league_id=friends_league_id,
            limit=limit,
            offset=offset,
        ),
        near,
    )


def own_profile_page(connection: Connection, player_id: str) -> ProfilePage:
    """A player's own profile and leagues."""
    return ProfilePage(
        frame(connection, player_id),
        players.profile(connection, player_id, player_id),
        players.friends_leagues(connection, player_id),
        leagues.simulated_code(connection),
    )


def profile_page(
    connection: Connection, viewer_id: str | None, player_id: str
) -> ProfilePage:
    """What the viewer may see of a player."""
    return ProfilePage(
        frame(connection, viewer_id),
        players.profile(connection, viewer_id, player_id),
        (),
        None,
    )


def economy_page(
    connection: Connection, player_id: str | None, *, days: int
) -> EconomyPage:
    """The economy of the last days."""
    return EconomyPage(
        frame(connection, player_id),
        market.economy(connection, days=days),
        leagues.count_simulated(connection),
    )


def tour_page(connection: Connection, player_id: str | None) -> TourPage:
    """The steps of the tour, and which of them the player who looks has taken."""
    if player_id is None:
        return TourPage(frame(connection, player_id), frozenset(), None)
    portfolio = players.portfolio(connection, player_id)
    taken = {
        "account": True,
        "trade": bool(players.history(connection, player_id, limit=1).trades),
        "order": bool(players.orders(connection, player_id, limit=1).orders),
        "spread": len(portfolio.holdings) >= _SPREAD,
        "seen": portfolio.has_seen_tour,
    }
    done = frozenset(name for name, is_done in taken.items() if is_done)
    return TourPage(frame(connection, player_id), done, portfolio)
