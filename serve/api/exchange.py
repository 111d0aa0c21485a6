"""The exchange under /api/v1/exchange: routes, and nothing but routes.

A route parses, calls one function of the exchange, answers. Writes carry an
Idempotency-Key. An account of the service becomes a player at its first visit. Amounts
are in units, ten-thousandths of a credit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from flask import Flask, Response, current_app
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from exchange import (
    boards,
    daily_steps,
    leagues,
    lists,
    market,
    orders,
    player_request,
    players,
    portfolio,
    trading,
)
from exchange.clock import Clock, utc_now
from exchange.database import Database
from exchange.errors import CODES, Refusal
from exchange.settings import ExchangeSettings, load_exchange_settings
from serve import problems
from serve.accounts import Account, current_account, require
from serve.answers import account_answer, account_table
from serve.api.description import AS_TABLE, Row, own
from serve.api.parameters import Day, Key, Nothing, Parameters, Text, Whole
from serve.context import reading
from serve.problems import Problem, problem_response
from serve.queries import listeners
from serve.store.contract import StoreUnavailable, VersionMoved

api = APIBlueprint(
    "exchange",
    __name__,
    url_prefix="/api/v1/exchange",
    abp_tags=[Tag(name="exchange", description="artists as shares: a game")],
)
_SECURED: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
# For everybody, but one's own view needs a login.
_OPTIONAL: list[dict[str, list[str]]] = [{}, *_SECURED]


@dataclass
class Exchange:
    """The exchange of one application; its database is opened at the first request."""

    settings: ExchangeSettings
    open_database: Callable[[], Database]
    clock: Clock = utc_now
    _database: Database | None = None
    _quote_key: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def database(self) -> Database:
        with self._lock:
            if self._database is None:
                self._database = self.open_database()
            return self._database

    @property
    def quote_key(self) -> bytes:
        """What quotes are signed with; it never changes."""
        if self._quote_key is None:
            with self.database.read() as connection:
                self._quote_key = market.quote_key(connection)
        return self._quote_key


def install(app: Flask) -> None:
    """Add the exchange to the service."""
    problems.register_codes(
        {code: (status, title) for code, (_, status, title) in CODES.items()}
    )
    shared = app.extensions["serve"]
    app.extensions["exchange"] = Exchange(
        load_exchange_settings(),
        lambda: daily_steps.open_database(shared.settings.warehouse),
    )
    app.register_error_handler(Refusal, _refused)
    app.register_api(api)  # type: ignore[attr-defined]
    shared.leaving.append(_leave)


def exchange() -> Exchange:
    """The exchange of the application that answers now."""
    found: Exchange = current_app.extensions["exchange"]
    return found


def _refused(refusal: Refusal) -> Response:
    return problem_response(
        Problem(refusal.code, refusal.detail, kind=refusal.kind, **refusal.facts)
    )


# Parameters ------------------------------------------------------------------


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Shares = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_integral)]
Units = Annotated[int, Field(ge=1, le=2**53 - 1), BeforeValidator(_integral)]
Side = Literal["buy", "sell"]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00]+$")
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class KeyHeader(BaseModel):
    """Sent with every write: the same key gives the first answer again."""

    idempotency_key: str = Field(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="chosen by the client, new for each intention",
    )


class ListPath(Parameters):
    list_name: lists.ListName


class BoardPath(Parameters):
    board: boards.Board


class ArtistPath(Parameters):
    artist_id: Key


class PlayerPath(Parameters):
    player_id: Key


class OrderPath(Parameters):
    order_id: Key


class LeaguePath(Parameters):
    league_id: Key


class Part(Parameters):
    limit: Whole = Field(25, ge=1, le=200)
    offset: Whole = Field(0, ge=0, le=100_000)


class ListQuery(Part):
    tag: Text | None = Field(None, description="only artists whose top tag this is")


class OrdersQuery(Part):
    state: (
        Literal["queued", "filled", "part_filled", "cancelled", "unfilled"] | None
    ) = None


League = Literal["mine", "bronze", "silver", "gold", "operator"]


class NearQuery(Parameters):
    league: League | None = Field(None, description="mine is one's own cohort")
    friends_league: Key | None = None


class BoardQuery(Part):
    league: League | None = Field(None, description="mine is one's own cohort")
    friends_league: Key | None = None


class DaysQuery(Parameters):
    since: Day | None = Field(None, description="first day (UTC)")


class SpanQuery(DaysQuery):
    until: Day | None = Field(None, description="last day (UTC), included")


class EconomyQuery(Parameters):
    days: Whole = Field(90, ge=1, le=3660)


class TermsBody(Body):
    artist_id: Key
    side: Side
    shares: Shares


class TradeBody(TermsBody):
    quote: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class OrderBody(TermsBody):
    limit_units: Units | None = Field(None, description="worst price a share")


class PlayerBody(Body):
    player_name: (
        Annotated[
            str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00]+$")
        ]
        | None
    ) = None
    is_public: bool | None = None
    has_seen_tour: bool | None = None


class LeagueBody(Body):
    league_name: Name


class CodeBody(Body):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,20}$")]


# Rows ------------------------------------------------------------------------


class ExchangeStatusRow(Row):
    state: Literal["open", "closed", "halted"]
    is_open: bool
    reason: str | None
    reopens_at: str | None
    priced_at: str | None
    prices_version: str | None


class ExchangeArtistRow(Row):
    artist_id: str
    artist_name: str
    price_units: int
    fundamental_price_units: int
    change_ppm: int = Field(description="against the close before the last")
    is_halted: bool


class ExchangeArtistsRow(Row):
    artists: list[ExchangeArtistRow]
    next: int | None = None


class ExchangePriceRow(Row):
    date: str
    close_price_units: int
    fundamental_price_units: int
    points: int
    dividend_units: int
    trades: int


class ExchangeQuoteRow(Row):
    quote: str = Field(description="send it back with the trade; good once")
    value_units: int
    fee_units: int
    total_units: int = Field(description="to be paid, or to be had")
    expires_at: str


class ExchangeTradeRow(Row):
    trade_id: str
    total_units: int
    cash_units: int
    holding_shares: int


class ExchangeOrderRow(Row):
    order_id: str
    state: str


class ExchangeOrdersRow(Row):
    orders: list[ExchangeOrderRow]
    next: int | None


class ExchangePortfolioRow(Row):
    player_id: str
    cash_units: int
    worth_units: int
    holdings: list[Row]


class ExchangeTradesRow(Row):
    trades: list[Row]
    next: int | None


class ExchangeDividendsRow(Row):
    dividends: list[Row]
    total_units: int
    next: int | None


class ExchangeWorthRow(Row):
    date: str
    worth_units: int
    return_ppm: int


class ExchangeBoardRow(Row):
    board: str
    rows: list[Row]


class ExchangePlayerRow(Row):
    player_id: str


class ExchangeLeagueRow(Row):
    league_id: str


class ExchangeEconomyRow(Row):
    date: str
    players: int
    money_supply_units: int
    fees_units: int
    issuance_units: int
    dividends_units: int
    house_exposure_units: int


# The market, for everybody ---------------------------------------------------


@api.get("", responses=own(ExchangeStatusRow))
def status(query: Nothing) -> Response:
    """Whether the market is open, and the season that runs."""
    with _reading() as connection:
        return _answer(
            connection,
            {**lists.status(connection), "season": lists.season(connection)},
        )


@api.get(
    "/lists/<list_name>",
    responses=own(ExchangeArtistsRow),
    openapi_extensions=AS_TABLE,
)
def artist_list(path: ListPath, query: ListQuery) -> Response:
    """Artists: dearest, most traded, popular, risers, fallers, traded recently."""
    with _reading() as connection:
        found = lists.artists(
            connection,
            path.list_name,
            tag=query.tag,
            limit=query.limit,
            offset=query.offset,
        )
        return _answer(connection, found, found["artists"])


@api.get("/artists/<artist_id>", responses=own(ExchangeArtistRow))
def artist(path: ArtistPath, query: Nothing) -> Response:
    """One artist on the market."""
    with _reading() as connection:
        return _answer(connection, lists.artist(connection, path.artist_id))


@api.get(
    "/artists/<artist_id>/prices",
    responses=own(list[ExchangePriceRow], name="ExchangePriceList"),
    openapi_extensions=AS_TABLE,
)
def prices(path: ArtistPath, query: SpanQuery) -> Response:
    """An artist's closing prices, points and dividends by day."""
    with _reading() as connection:
        lists.artist(connection, path.artist_id)
        found = lists.price_days(
            connection, path.artist_id, since=query.since, until=query.until
        )
        return _answer(connection, found, found)


@api.get(
    "/economy",
    responses=own(list[ExchangeEconomyRow], name="ExchangeEconomyList"),
    openapi_extensions=AS_TABLE,
)
def economy(query: EconomyQuery) -> Response:
    """Money supply, fees, issuance, dividends, the house's exposure, by day."""
    with _reading() as connection:
        found = lists.economy(connection, days=query.days)
        return _answer(connection, found, found)


@api.get(
    "/boards/<board>",
    responses=own(ExchangeBoardRow),
    security=_OPTIONAL,
    openapi_extensions=AS_TABLE,
)
def board(path: BoardPath, query: BoardQuery) -> Response:
    """A board: over all, by league, in one's cohort or among friends."""
    is_own = query.league == "mine" or query.friends_league is not None
    player_id = _player(require("read")) if is_own else _player_if_any()
    with _reading() as connection:
        found = boards.read(
            connection,
            path.board,
            player_id=player_id,
            league=query.league,
            friends_league_id=query.friends_league,
            limit=query.limit,
            offset=query.offset,
        )
        return _answer(connection, found, found["rows"])


@api.get(
    "/boards/<board>/near",
    responses=own(ExchangeBoardRow, name="ExchangeNear"),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def near(path: BoardPath, query: NearQuery) -> Response:
    """One's position: four above, five below."""
    player_id = _player(require("read"))
    with _reading() as connection:
        found = boards.near(
            connection,
            path.board,
            player_id,
            league=query.league,
            friends_league_id=query.friends_league,
        )
        return _answer(connection, found, found["rows"])


@api.get("/players/<player_id>", responses=own(ExchangePlayerRow), security=_OPTIONAL)
def player_profile(path: PlayerPath, query: Nothing) -> Response:
    """A public player: worth, boards, trophies."""
    viewer = _player_if_any()
    with _reading() as connection:
        return _answer(
            connection, portfolio.profile(connection, path.player_id, viewer)
        )


# Trading ---------------------------------------------------------------------


@api.post("/quotes", responses=own(ExchangeQuoteRow), security=_SECURED)
def quote(query: Nothing, body: TermsBody) -> Response:
    """What a trade would cost now: good for 15 seconds and for one use."""
    player_id = _player(require("trade"))
    with _reading() as connection:
        return account_answer(
            trading.quote(
                connection,
                exchange().clock,
                exchange().settings,
                player_id,
                body.artist_id,
                body.side,
                body.shares,
                key=exchange().quote_key,
            )
        )


@api.post("/trades", responses=own(ExchangeTradeRow, 201), security=_SECURED)
def trade(query: Nothing, header: KeyHeader, body: TradeBody) -> Response:
    """Trade on a quote, at its price or not at all."""
    shared = exchange()
    key = shared.quote_key
    return _once(
        "trade",
        header,
        body,
        lambda one: trading.trade(
            one,
            shared.clock,
            shared.settings,
            body.artist_id,
            body.side,
            body.shares,
            body.quote,
            key=key,
        ),
        201,
    )


@api.get("/orders", responses=own(ExchangeOrdersRow), security=_SECURED)
def list_orders(query: OrdersQuery) -> Response:
    """One's orders for the open, newest first."""
    player_id = _player(require("read"))
    with _reading() as connection:
        return _answer(
            connection,
            portfolio.orders(
                connection,
                player_id,
                state=query.state,
                limit=query.limit,
                offset=query.offset,
            ),
        )


@api.post("/orders", responses=own(ExchangeOrderRow, 201), security=_SECURED)
def place_order(query: Nothing, header: KeyHeader, body: OrderBody) -> Response:
    """Queue an order; it is cleared once, at the next close, at one price for all."""
    shared = exchange()
    return _once(
        "order",
        header,
        body,
        lambda one: orders.place(
            one,
            shared.clock,
            shared.settings,
            body.artist_id,
            body.side,
            body.shares,
            body.limit_units,
        ),
        201,
    )


@api.delete("/orders/<order_id>", responses=own(ExchangeOrderRow), security=_SECURED)
def cancel_order(path: OrderPath, query: Nothing, header: KeyHeader) -> Response:
    """Take a queued order back."""
    return _once(
        "cancel",
        header,
        path,
        lambda one: orders.cancel(one, exchange().clock, path.order_id),
    )


# One's own -------------------------------------------------------------------


@api.get(
    "/portfolio",
    responses=own(ExchangePortfolioRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def own_portfolio(query: Nothing) -> Response:
    """Cash, holdings, worth and returns; the first visit makes one a player."""
    player_id = _player(require("read"))
    with _reading() as connection:
        found = portfolio.portfolio(connection, player_id)
        return _answer(connection, found, found["holdings"])


@api.get(
    "/history",
    responses=own(ExchangeTradesRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def history(query: Part) -> Response:
    """One's trades, newest first."""
    player_id = _player(require("read"))
    with _reading() as connection:
        found = portfolio.history(
            connection, player_id, limit=query.limit, offset=query.offset
        )
        return _answer(connection, found, found["trades"])


@api.get(
    "/worth",
    responses=own(list[ExchangeWorthRow], name="ExchangeWorthList"),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def worth(query: DaysQuery) -> Response:
    """One's net worth at each close."""
    player_id = _player(require("read"))
    with _reading() as connection:
        found = portfolio.worth_days(connection, player_id, since=query.since)
        return _answer(connection, found, found)


@api.get(
    "/dividends",
    responses=own(ExchangeDividendsRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def dividends(query: Part) -> Response:
    """One's dividends, newest first."""
    player_id = _player(require("read"))
    with _reading() as connection:
        found = portfolio.dividends(
            connection, player_id, limit=query.limit, offset=query.offset
        )
        return _answer(connection, found, found["dividends"])


@api.get(
    "/trophies", responses=own(list[Row], name="ExchangeTrophyList"), security=_SECURED
)
def trophies(query: Nothing) -> Response:
    """One's trophies."""
    player_id = _player(require("read"))
    with _reading() as connection:
        return _answer(connection, portfolio.trophies(connection, player_id))


@api.get(
    "/recommended",
    responses=own(ExchangeArtistsRow, name="ExchangeRecommended"),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def recommended(query: Nothing) -> Response:
    """Listed artists recommended from one's own listening, not owned yet."""
    account = require("read")
    player_id = _player(account)
    try:
        with reading() as reader:
            found = listeners.recommended_artists(
                reader, account.listener_id, limit=200, offset=0
            )
            wanted = [row["artist_id"] for row in found.records()]
    except VersionMoved:
        raise
    except StoreUnavailable:
        wanted = []
    with _reading() as connection:
        shown = lists.chosen(connection, wanted, not_owned_by=player_id)[:50]
        return _answer(connection, {"artists": shown}, shown)


@api.patch("/player", responses=own(ExchangePlayerRow), security=_SECURED)
def change_player(query: Nothing, header: KeyHeader, body: PlayerBody) -> Response:
    """Change one's name on the boards, who may see it, and whether the tour is over."""
    return _once(
        "settings",
        header,
        body,
        lambda one: players.change_settings(
            one,
            name=body.player_name,
            is_public=body.is_public,
            has_seen_tour=body.has_seen_tour,
        ),
    )


@api.post("/player/reset", responses=own(ExchangePlayerRow), security=_SECURED)
def reset(query: Nothing, header: KeyHeader) -> Response:
    """Start again with 20,000, complete; once in seven days."""
    shared = exchange()
    return _once(
        "reset",
        header,
        None,
        lambda one: players.reset(one, shared.clock, shared.settings),
    )


@api.delete("/player", responses=own(ExchangePlayerRow), security=_SECURED)
def leave(query: Nothing, header: KeyHeader) -> Response:
    """Stop playing: name and links go now, holdings are sold at the next close."""
    return _once(
        "leave", header, None, lambda one: players.leave(one, exchange().clock)
    )


@api.get(
    "/friends-leagues",
    responses=own(list[ExchangeLeagueRow], name="ExchangeLeagueList"),
    security=_SECURED,
)
def friends_leagues(query: Nothing) -> Response:
    """The leagues one is in, with their codes."""
    player_id = _player(require("read"))
    with _reading() as connection:
        return _answer(connection, leagues.friends_leagues(connection, player_id))


@api.post("/friends-leagues", responses=own(ExchangeLeagueRow, 201), security=_SECURED)
def found_league(query: Nothing, header: KeyHeader, body: LeagueBody) -> Response:
    """Found a league among friends; others join by its code."""
    return _once(
        "found league",
        header,
        body,
        lambda one: leagues.found_friends_league(
            one, exchange().clock, body.league_name
        ),
        201,
    )


@api.post("/friends-leagues/join", responses=own(ExchangeLeagueRow), security=_SECURED)
def join_league(query: Nothing, header: KeyHeader, body: CodeBody) -> Response:
    """Join a league by its code."""
    return _once(
        "join league",
        header,
        body,
        lambda one: leagues.join_friends_league(one, exchange().clock, body.code),
    )


@api.delete(
    "/friends-leagues/<league_id>", responses=own(ExchangeLeagueRow), security=_SECURED
)
def leave_league(path: LeaguePath, query: Nothing, header: KeyHeader) -> Response:
    """Leave a league; it ends when its founder leaves."""
    return _once(
        "leave league",
        header,
        path,
        lambda one: leagues.leave_friends_league(one, path.league_id),
    )


# How routes work -------------------------------------------------------------


@contextmanager
def _reading() -> Iterator[Connection]:
    with exchange().database.read() as connection:
        yield connection


def _once(
    operation: str,
    header: KeyHeader,
    body: BaseModel | None,
    action: Callable[[player_request.PlayerRequest], dict[str, Any]],
    status: int = 200,
) -> Response:
    """Do a write once for its Idempotency-Key; refusals become problems."""
    player_id = _player(require("trade"))
    request = {
        "operation": operation,
        **(body.model_dump(mode="json") if body is not None else {}),
    }
    shared = exchange()
    answer = shared.database.run(
        lambda connection: player_request.answer_once(
            connection,
            shared.clock,
            player_id,
            header.idempotency_key,
            request,
            action,
            status=status,
        )
    )
    replay = {"Idempotency-Replayed": "true"} if answer.is_replay else {}
    if answer.status < 400:
        return account_answer(answer.body, answer.status, replay)
    facts = dict(answer.body)
    code, detail = facts.pop("code"), facts.pop("detail")
    for member in ("type", "title", "status"):
        facts.pop(member)
    return problem_response(Problem(code, detail, headers=replay, **facts))


def _player(account: Account) -> str:
    """The player of an account; made at the first visit."""
    shared = exchange()
    with shared.database.read() as connection:
        found = players.find(connection, str(account.account_id))
    if found is not None:
        return str(found.player_id)
    return shared.database.run(
        lambda connection: players.join(
            connection,
            shared.clock,
            shared.settings,
            str(account.account_id),
            account.listener_name,
            account.listener_id,
        )
    )


def _player_if_any() -> str | None:
    account = current_account()
    if account is None or "read" not in account.scopes:
        return None
    with exchange().database.read() as connection:
        found = players.find(connection, str(account.account_id))
    return str(found.player_id) if found is not None else None


def _leave(account: Account) -> None:
    """The account is deleted: the player leaves, the books stay."""
    shared = exchange()
    try:
        with shared.database.read() as connection:
            found = players.find(connection, str(account.account_id))
        if found is not None:
            shared.database.run(
                lambda connection: players.leave(
                    player_request.lock(connection, found.player_id), shared.clock
                )
            )
    except SQLAlchemyError as error:
        raise Problem(
            "warehouse_unavailable",
            "the exchange cannot be reached, so the account was not deleted",
        ) from error


def _answer(
    connection: Connection, data: Any, rows: list[dict[str, Any]] | None = None
) -> Response:
    """An answer with the version and the day its prices are of.

    `rows` are what of it comes as a table in the other formats.
    """
    state = market.look(connection)
    envelope = {"version": state.version, "as_of": state.last_settled_date}
    return account_table(envelope, data, rows)
