"""The exchange under /api/v1/exchange: routes, and nothing but routes.

A route parses, calls one view or one action of the exchange, answers. Writes carry an
Idempotency-Key. An account of the service becomes a player at its first visit. Amounts
are in units, ten-thousandths of a credit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from flask import Flask, Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from exchange import daily_steps, trading
from exchange.errors import CODES, Refusal
from exchange.player_request import Answer as WriteAnswer
from exchange.settings import load_exchange_settings
from exchange.views import (
    Answer,
    boards,
    market,
    notices,
    order_ticket,
    plain,
    players,
    stamped,
)
from serve import exchange_actions as actions
from serve import problems
from serve.accounts import require
from serve.answers import account_answer, account_table
from serve.api.description import AS_TABLE, operation_id, own
from serve.api.exchange_models import (
    ArtistPath,
    BoardPath,
    BoardQuery,
    CodeBody,
    DaysQuery,
    EconomyQuery,
    ExchangeArtistsRow,
    ExchangeBoardRow,
    ExchangeCancelledRow,
    ExchangeChangedRow,
    ExchangeDividendsRow,
    ExchangeDoneRow,
    ExchangeEconomyRow,
    ExchangeFoundedRow,
    ExchangeJoinedRow,
    ExchangeLeagueRow,
    ExchangeLeftLeagueRow,
    ExchangeLeftRow,
    ExchangeListingRow,
    ExchangeNearRow,
    ExchangeNoticeRow,
    ExchangeOrdersRow,
    ExchangePlacedRow,
    ExchangePortfolioRow,
    ExchangePriceRow,
    ExchangeProfileRow,
    ExchangeQuoteRow,
    ExchangeResetRow,
    ExchangeStatusRow,
    ExchangeTicketRow,
    ExchangeTradesRow,
    ExchangeTrophyRow,
    ExchangeWorthRow,
    KeyHeader,
    LeagueBody,
    LeaguePath,
    ListPath,
    ListQuery,
    NearQuery,
    OrderBody,
    OrderPath,
    OrdersQuery,
    Part,
    PlayerBody,
    PlayerPath,
    SpanQuery,
    TermsBody,
    TicketQuery,
    TradeBody,
)
from serve.api.parameters import Nothing
from serve.context import Figure
from serve.exchange_access import (
    Exchange,
    exchange,
    kept_of,
    leave_with_account,
    read,
    read_as_viewer,
    read_for,
    read_own,
    recommended_artists,
    refusal_of,
)
from serve.problems import Problem, problem_response

__all__ = ["Exchange", "api", "install"]

api = APIBlueprint(
    "exchange",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/exchange",
    abp_tags=[Tag(name="exchange", description="artists as shares: a game")],
)
_SECURED: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
# For everybody, but one's own view needs a login.
_OPTIONAL: list[dict[str, list[str]]] = [{}, *_SECURED]


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
    shared.leaving.append(leave_with_account)
    shared.kept["exchange"] = kept_of
    shared.measures.append(lambda: _figures(app.extensions["exchange"]))


def _figures(shared: Exchange) -> Iterator[Figure]:
    """What monitoring wants to know of the market."""
    with shared.database.read() as connection:
        seen = market.status(connection)
    states = dict.fromkeys(("open", "closed", "orders only", "halted"), 0)
    states[seen.state] = 1
    yield Figure("market", "The market: 1 at its state", states, "state")
    if seen.stale_since is not None:
        moment = seen.stale_since.replace(tzinfo=UTC).timestamp()
        yield Figure("market_stale_timestamp_seconds", "Prices are of before", moment)


def _refused(refusal: Refusal) -> Response:
    return problem_response(
        Problem(refusal.code, refusal.detail, kind=refusal.kind, **refusal.facts)
    )


# The market, for everybody ---------------------------------------------------


@api.get("", responses=own(ExchangeStatusRow))
def status(query: Nothing) -> Response:
    """Whether the market is open, and the season that runs."""
    return _answer(read(stamped(market.status)))


@api.get(
    "/lists/<list_name>",
    responses=own(ExchangeArtistsRow),
    openapi_extensions=AS_TABLE,
)
def artist_list(path: ListPath, query: ListQuery) -> Response:
    """Artists: dearest, most traded, popular, risers, fallers, traded recently."""
    found = read(
        stamped(market.artist_list),
        path.list_name,
        tag=query.tag,
        limit=query.limit,
        offset=query.offset,
    )
    return _table(found, "artists")


@api.get("/artists/<artist_id>", responses=own(ExchangeListingRow))
def artist(path: ArtistPath, query: Nothing) -> Response:
    """One artist on the market."""
    return _answer(read(stamped(market.artist), path.artist_id))


@api.get(
    "/artists/<artist_id>/prices",
    responses=own(list[ExchangePriceRow], name="ExchangePriceList"),
    openapi_extensions=AS_TABLE,
)
def prices(path: ArtistPath, query: SpanQuery) -> Response:
    """An artist's closing prices, points and dividends by day."""
    return _table(
        read(
            stamped(market.price_days),
            path.artist_id,
            since=query.since,
            until=query.until,
        )
    )


@api.get(
    "/economy",
    responses=own(list[ExchangeEconomyRow], name="ExchangeEconomyList"),
    openapi_extensions=AS_TABLE,
)
def economy(query: EconomyQuery) -> Response:
    """Money supply, fees, issuance, dividends, the house's exposure, by day."""
    return _table(read(stamped(market.economy), days=query.days))


@api.get(
    "/boards/<board>",
    responses=own(ExchangeBoardRow),
    security=_OPTIONAL,
    openapi_extensions=AS_TABLE,
)
def board(path: BoardPath, query: BoardQuery) -> Response:
    """A board: over all, by league, in one's cohort or among friends."""
    is_own = query.league == "mine" or query.friends_league is not None
    view = stamped(boards.board)
    found = (read_own if is_own else read_as_viewer)(
        view,
        path.board,
        league=query.league,
        friends_league_id=query.friends_league,
        limit=query.limit,
        offset=query.offset,
    )
    return _table(found, "rows")


@api.get(
    "/boards/<board>/near",
    responses=own(ExchangeNearRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def near(path: BoardPath, query: NearQuery) -> Response:
    """One's position: four above, five below."""
    found = read_own(
        stamped(boards.near),
        path.board,
        league=query.league,
        friends_league_id=query.friends_league,
    )
    return _table(found, "rows")


@api.get("/players/<player_id>", responses=own(ExchangeProfileRow), security=_OPTIONAL)
def player_profile(path: PlayerPath, query: Nothing) -> Response:
    """A public player: worth, boards, trophies."""
    return _answer(read_as_viewer(stamped(players.profile), path.player_id))


# Trading ---------------------------------------------------------------------


@api.get(
    "/artists/<artist_id>/ticket",
    responses=own(list[ExchangeTicketRow], name="ExchangeTicketList"),
    security=_SECURED,
)
def ticket(path: ArtistPath, query: TicketQuery) -> Response:
    """What an amount would come to, to buy and where one holds it to sell; no quote."""
    shared = exchange()
    return _answer(
        read_own(
            stamped(order_ticket.tickets),
            shared.clock,
            shared.settings,
            path.artist_id,
            query.shares,
        )
    )


@api.post("/quotes", responses=own(ExchangeQuoteRow), security=_SECURED)
def quote(query: Nothing, body: TermsBody) -> Response:
    """What a trade would cost now; the price is made again when it is used, once."""
    shared = exchange()
    key = shared.quote_key
    return account_answer(
        read_for(
            require("trade"),
            lambda connection, player_id: trading.quote(
                connection,
                shared.clock,
                shared.settings,
                player_id,
                body.artist_id,
                body.side,
                body.shares,
                key=key,
            ),
        )
    )


@api.post("/trades", responses=own(ExchangeDoneRow, 201), security=_SECURED)
def trade(query: Nothing, header: KeyHeader, body: TradeBody) -> Response:
    """Trade on a quote, at its price or not at all."""
    return _written(actions.trade(header.idempotency_key, body))


@api.get("/orders", responses=own(ExchangeOrdersRow), security=_SECURED)
def list_orders(query: OrdersQuery) -> Response:
    """One's orders for the open, newest first."""
    return _answer(
        read_own(
            stamped(players.orders),
            state=query.state,
            limit=query.limit,
            offset=query.offset,
        )
    )


@api.post("/orders", responses=own(ExchangePlacedRow, 201), security=_SECURED)
def place_order(query: Nothing, header: KeyHeader, body: OrderBody) -> Response:
    """Queue an order; it is cleared once, at the next close, at one price for all."""
    return _written(actions.place_order(header.idempotency_key, body))


@api.delete(
    "/orders/<order_id>", responses=own(ExchangeCancelledRow), security=_SECURED
)
def cancel_order(path: OrderPath, query: Nothing, header: KeyHeader) -> Response:
    """Take a queued order back."""
    return _written(actions.cancel_order(header.idempotency_key, path))


# One's own -------------------------------------------------------------------


@api.get(
    "/portfolio",
    responses=own(ExchangePortfolioRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def own_portfolio(query: Nothing) -> Response:
    """Cash, holdings, worth and returns; the first visit makes one a player."""
    return _table(read_own(stamped(players.portfolio)), "holdings")


@api.get(
    "/history",
    responses=own(ExchangeTradesRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def history(query: Part) -> Response:
    """One's trades, newest first."""
    found = read_own(stamped(players.history), limit=query.limit, offset=query.offset)
    return _table(found, "trades")


@api.get(
    "/worth",
    responses=own(list[ExchangeWorthRow], name="ExchangeWorthList"),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def worth(query: DaysQuery) -> Response:
    """One's net worth at each close."""
    return _table(read_own(stamped(players.worth_days), since=query.since))


@api.get(
    "/dividends",
    responses=own(ExchangeDividendsRow),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def dividends(query: Part) -> Response:
    """One's dividends, newest first."""
    found = read_own(stamped(players.dividends), limit=query.limit, offset=query.offset)
    return _table(found, "dividends")


@api.get(
    "/news",
    responses=own(list[ExchangeNoticeRow], name="ExchangeNewsList"),
    security=_SECURED,
)
def news(query: Nothing) -> Response:
    """The last 50 fills, dividends and halts of what one holds, newest first."""
    return _answer(read_own(stamped(notices.notices), limit=50))


@api.get(
    "/trophies",
    responses=own(list[ExchangeTrophyRow], name="ExchangeTrophyList"),
    security=_SECURED,
)
def trophies(query: Nothing) -> Response:
    """One's trophies."""
    return _answer(read_own(stamped(players.trophies)))


@api.get(
    "/recommended",
    responses=own(ExchangeArtistsRow, name="ExchangeRecommended"),
    security=_SECURED,
    openapi_extensions=AS_TABLE,
)
def recommended(query: Nothing) -> Response:
    """Listed artists recommended from one's own listening, not owned yet."""
    account = require("read")
    wanted = recommended_artists(account)
    return _table(read_for(account, stamped(market.recommended), wanted), "artists")


@api.patch("/player", responses=own(ExchangeChangedRow), security=_SECURED)
def change_player(query: Nothing, header: KeyHeader, body: PlayerBody) -> Response:
    """Change one's name on the boards, who may see it, and whether the tour is over."""
    return _written(actions.change_settings(header.idempotency_key, body))


@api.post("/player/reset", responses=own(ExchangeResetRow), security=_SECURED)
def reset(query: Nothing, header: KeyHeader) -> Response:
    """Start again with 20,000, complete; once in seven days."""
    return _written(actions.reset(header.idempotency_key))


@api.delete("/player", responses=own(ExchangeLeftRow), security=_SECURED)
def leave(query: Nothing, header: KeyHeader) -> Response:
    """Stop playing: name and links go now, holdings are sold at the next close."""
    return _written(actions.leave(header.idempotency_key))


@api.get(
    "/friends-leagues",
    responses=own(list[ExchangeLeagueRow], name="ExchangeLeagueList"),
    security=_SECURED,
)
def friends_leagues(query: Nothing) -> Response:
    """The leagues one is in, with their codes."""
    return _answer(read_own(stamped(players.friends_leagues)))


@api.post("/friends-leagues", responses=own(ExchangeFoundedRow, 201), security=_SECURED)
def found_league(query: Nothing, header: KeyHeader, body: LeagueBody) -> Response:
    """Found a league among friends; others join by its code."""
    return _written(actions.found_league(header.idempotency_key, body))


@api.post("/friends-leagues/join", responses=own(ExchangeJoinedRow), security=_SECURED)
def join_league(query: Nothing, header: KeyHeader, body: CodeBody) -> Response:
    """Join a league by its code."""
    return _written(actions.join_league(header.idempotency_key, body))


@api.delete(
    "/friends-leagues/<league_id>",
    responses=own(ExchangeLeftLeagueRow),
    security=_SECURED,
)
def leave_league(path: LeaguePath, query: Nothing, header: KeyHeader) -> Response:
    """Leave a league; it ends when its founder leaves."""
    return _written(actions.leave_league(header.idempotency_key, path))


# How routes answer ----------------------------------------------------------


def _answer(found: Answer[Any]) -> Response:
    """An answer with the version and the day its prices are of, as JSON only."""
    return account_table(_envelope(found), plain(found.data), None)


def _table(found: Answer[Any], rows: str | None = None) -> Response:
    """The same in every format; `rows` names the member that is the table, if one."""
    data = plain(found.data)
    return account_table(_envelope(found), data, data if rows is None else data[rows])


def _envelope(found: Answer[Any]) -> dict[str, Any]:
    return {"version": found.version, "as_of": found.as_of}


def _written(answer: WriteAnswer) -> Response:
    """The answer of a write; refusals become problems."""
    if answer.status >= 400:
        return problem_response(refusal_of(answer))
    replay = {"Idempotency-Replayed": "true"} if answer.is_replay else {}
    return account_answer(answer.body, answer.status, replay)
