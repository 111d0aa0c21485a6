"""The exchange's pages: market, artist with trade form, portfolio, orders, boards.

Every page asks the functions of `serve.api.exchange`, so that it sees and may do what a
program with the same rights sees and may do. Forms work without scripts; a script only
counts a quote's seconds down. All of it is of this moment: nothing is cached.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, get_args

import orjson
from flask import Blueprint, Response, redirect, render_template, request
from markupsafe import Markup
from pydantic import ValidationError

from exchange import boards
from exchange.errors import Refusal
from exchange.lists import LISTS
from exchange.settings import LEAGUES, PPM, UNITS_PER_CREDIT
from serve.accounts import csrf_token, current_account, require
from serve.api import exchange as api
from serve.api.parameters import Nothing
from serve.pages import pictures, words
from serve.pages.artists import places_of
from serve.pages.site import Figure, Table, asked, pick, table
from serve.problems import Problem

LIST_WORDS = {
    "dearest": "dearest",
    "risers": "risers",
    "fallers": "fallers",
    "most_traded": "most traded",
    "popular": "popular on last.fm",
    "recent": "traded recently",
}
BOARD_WORDS = {
    "day": "day",
    "week": "week",
    "month": "month",
    "season": "season",
    "lifetime": "lifetime",
    "worth": "net worth",
}
PARTS = (
    ("/exchange", "Market"),
    ("/exchange/portfolio", "Portfolio"),
    ("/exchange/orders", "Orders"),
    ("/exchange/boards", "Boards"),
    ("/exchange/profile", "Profile"),
    ("/exchange/economy", "Economy"),
    ("/exchange/tour", "First steps"),
)
Data = dict[str, Any]


class MarketQuery(api.ListQuery):
    list: str = "dearest"


class BoardsQuery(api.BoardQuery):
    board: boards.Board = "season"


def add_routes(pages: Blueprint) -> None:
    """Everything under `/exchange`."""

    def get(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(pages, rule, view, "GET")

    def post(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(pages, rule, view, "POST")

    get("/exchange")(market)
    get("/exchange/artists/<artist_id>")(artist)
    post("/exchange/artists/<artist_id>/quote")(ask_quote)
    post("/exchange/artists/<artist_id>/trade")(trade)
    post("/exchange/artists/<artist_id>/order")(order)
    get("/exchange/portfolio")(portfolio)
    get("/exchange/orders")(orders)
    post("/exchange/orders/<order_id>/cancel")(cancel)
    get("/exchange/boards")(all_boards)
    get("/exchange/profile")(profile)
    get("/exchange/players/<player_id>")(player)
    post("/exchange/profile/settings")(change_settings)
    post("/exchange/profile/reset")(reset)
    post("/exchange/profile/leave")(leave)
    post("/exchange/leagues")(found_league)
    post("/exchange/leagues/join")(join_league)
    post("/exchange/leagues/<league_id>/leave")(leave_league)
    get("/exchange/economy")(economy)
    get("/exchange/tour")(tour)
    post("/exchange/tour/done")(end_tour)


def _add(pages: Blueprint, rule: str, view: Callable[..., Any], method: str) -> None:
    pages.add_url_rule(rule, f"exchange_{view.__name__}", view, methods=[method])


def money(units: int | None, digits: int = 2) -> str:
    """Units (ten-thousandths of a credit) as credits."""
    if units is None:
        return words.NOTHING
    return words.number(units / UNITS_PER_CREDIT, digits)


def percent(ppm: int | None) -> str:
    """Parts per million as a signed percentage."""
    if ppm is None:
        return words.NOTHING
    return f"{words.signed(100 * ppm / PPM, 2)} %" if ppm else "0.00 %"


def moved(ppm: int | None) -> Markup:
    """A change with its sign, its arrow and its colour."""
    if ppm is None:
        return Markup(words.NOTHING)
    kind, arrow = (
        ("up", "▲") if ppm > 0 else ("down", "▼") if ppm < 0 else ("same", "=")
    )
    return Markup(
        '<span class="move {}"><span aria-hidden="true">{}</span> {}</span>'
    ).format(kind, arrow, percent(ppm))


def when(text: str | None) -> str:
    """An ISO time of the exchange as people read it."""
    if text is None:
        return words.NOTHING
    return words.moment(datetime.fromisoformat(text).astimezone(UTC))


def stock_link(artist_id: str, name: str) -> Markup:
    """A link to an artist on the market."""
    return Markup('<a href="/exchange/artists/{}">{}</a>').format(
        artist_id, words.named(name)
    )


def _ask(function: Callable[..., Response], *given: Any) -> Any:
    """The data a function of the API answers with.

    Raises:
        Problem, Refusal: what the API would have answered.
    """
    answer = function(*given)
    body = orjson.loads(answer.get_data())
    if answer.status_code >= 400:
        raise Problem(body["code"], body["detail"])
    return body["data"]


def _do(function: Callable[..., Response], *given: Any) -> Any:
    """Like :func:`_ask`, for a write: with the key of the form that was sent."""
    header = api.KeyHeader.model_validate(
        {"Idempotency-Key": request.form.get("key") or secrets.token_hex(16)}
    )
    return _ask(function, Nothing(), header, *given)


def _body(model: type[api.Body], **given: Any) -> Any:
    """A form as the body of the API; what cannot be is told in words."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        said = "; ".join(
            f"{item['loc'][0]}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise Problem("invalid_body", f"This cannot be asked. {said}") from None


def _number(name: str) -> Any:
    """A whole number of a form; text that is none is left to the model to refuse."""
    text = request.form.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text


def _page(template: str, status: int = 200, **given: Any) -> Response:
    account = current_account()
    body = render_template(
        template,
        published=None,
        is_private=True,
        parts=PARTS,
        status=_ask(api.status, Nothing()),
        account=account,
        csrf=csrf_token(account) if account else None,
        fresh_key=lambda: secrets.token_hex(16),
        money=money,
        percent=percent,
        moved=moved,
        when=when,
        stock_link=stock_link,
        **given,
    )
    response = Response(body, status=status, mimetype="text/html")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Cookie"
    return response


def market() -> Response:
    """What is on the market, list by list."""
    query = asked(MarketQuery)
    names = list(LISTS)
    account = current_account()
    if query.list == "recommended":
        found = _ask(api.recommended, Nothing())
    elif query.list in names:
        path = api.ListPath.model_validate({"list_name": query.list})
        given = query.model_dump(exclude={"list"})
        found = _ask(api.artist_list, path, api.ListQuery.model_validate(given))
    else:
        raise Problem("not_found", f"there is no list {query.list!r}")
    choices = list(LIST_WORDS.items())
    if account is not None:
        choices.append(("recommended", "for you"))
    rows: list[Data] = found["artists"]
    return _page(
        "exchange_market.html",
        lists=pick("/exchange", "list", choices, query.list, tag=query.tag),
        query=query,
        figure=_stocks(rows, query),
        more=words.address(
            "/exchange", list=query.list, tag=query.tag, offset=found["next"]
        )
        if found.get("next")
        else None,
    )


def _stocks(rows: list[Data], query: MarketQuery) -> Figure:
    by_change = query.list in ("risers", "fallers")
    says = (
        "Change against the close before the last."
        if by_change
        else "Price of one share in credits; a change is against the close before."
    )
    title = f"Artists: {LIST_WORDS.get(query.list, 'for you')}"
    return Figure(
        key="stocks",
        title=title[0].upper() + title[1:],
        summary=says,
        picture=pictures.bars(
            "stocks",
            title,
            says,
            [
                (
                    row["artist_name"],
                    abs(row["change_ppm"]) if by_change else row["price_units"],
                    percent(row["change_ppm"])
                    if by_change
                    else money(row["price_units"]),
                )
                for row in rows[:12]
            ],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: (
                    stock_link(row["artist_id"], row["artist_name"])
                    + (Markup(" <em>halted</em>") if row["is_halted"] else "")
                ),
                False,
            ),
            ("Tag", lambda row: words.named(row["top_tag"] or words.NOTHING), False),
            ("Price", lambda row: money(row["price_units"]), True),
            ("Change", lambda row: moved(row["change_ppm"]), True),
            ("Fundamental", lambda row: money(row["fundamental_price_units"]), True),
            ("Listeners", lambda row: words.number(row["listeners"]), True),
            ("Trades today", lambda row: words.number(row["session_trades"]), True),
        ),
        csv=words.address(
            f"/api/v1/exchange/lists/{query.list}.csv",
            tag=query.tag,
            limit=query.limit,
            offset=query.offset or None,
        )
        if query.list != "recommended"
        else "/api/v1/exchange/recommended.csv",
        empty="Nothing is on this list now. Artists are listed once their history"
        " suffices; the first prices come with a daily run.",
        has_open_table=True,
    )


def _path(artist_id: str) -> api.ArtistPath:
    try:
        return api.ArtistPath.model_validate({"artist_id": artist_id})
    except ValidationError:
        raise Problem("not_found", "No artist has this key.") from None


def artist(artist_id: str) -> Response:
    """One artist on the market: price, what one holds, and the forms to trade."""
    return _artist_page(_path(artist_id))


def _artist_page(path: api.ArtistPath, status: int = 200, **given: Any) -> Response:
    found = _ask(api.artist, path, Nothing())
    days = _ask(api.prices, path, api.SpanQuery.model_validate({}))
    own = None
    if current_account() is not None:
        held = _ask(api.own_portfolio, Nothing())
        holding = next(
            (row for row in held["holdings"] if row["artist_id"] == path.artist_id),
            None,
        )
        own = {"cash_units": held["cash_units"], "holding": holding}
    return _page(
        "exchange_artist.html",
        status,
        artist=found,
        own=own,
        prices=_price_figure(found, days),
        **{"quote": None, "refusal": None, "form": {}, **given},
    )


def _price_figure(found: Data, days: list[Data]) -> Figure:
    says = (
        "Price at each close and the fundamental price it follows, in credits, by UTC"
        " day."
    )
    starts = [date.fromisoformat(row["date"]) for row in days]
    drawn = [
        pictures.Line(
            name,
            [
                (start, row[column] / UNITS_PER_CREDIT)
                for start, row in zip(starts, days, strict=True)
                if row[column] is not None
            ],
        )
        for name, column in (
            ("Close", "close_price_units"),
            ("Fundamental", "fundamental_price_units"),
        )
    ]
    return Figure(
        key="price",
        title="Price",
        summary=says,
        picture=pictures.lines(
            "price",
            f"Price of {words.clipped(found['artist_name'], 60)}",
            says,
            drawn,
        ),
        table=Table(
            ["Day", "Close", "Fundamental", "Dividend a share", "Trades"],
            [
                [
                    words.short_day(start),
                    money(row["close_price_units"]),
                    money(row["fundamental_price_units"]),
                    money(row["dividend_units"], 4),
                    words.number(row["trades"]),
                ]
                for start, row in zip(starts[::-1], days[::-1], strict=True)
            ],
            frozenset(range(1, 5)),
            places_of(starts)[::-1],
        ),
        csv=f"/api/v1/exchange/artists/{found['artist_id']}/prices.csv",
        empty="The first close gives the first price.",
        legend=[(0, "Close"), (1, "Fundamental")],
    )


def _terms(artist_id: str) -> Data:
    return {
        "artist_id": artist_id,
        "side": request.form.get("side", ""),
        "shares": _number("shares"),
    }


def ask_quote(artist_id: str) -> Response:
    """A quote on the artist's page, with the seconds it is good for."""
    path = _path(artist_id)
    terms = _terms(path.artist_id)
    try:
        made = _ask(api.quote, Nothing(), _body(api.TermsBody, **terms))
    except (Refusal, Problem) as no:
        return _refused(path, no, terms)
    return _artist_page(path, quote={**made, **terms}, form=terms)


def trade(artist_id: str) -> Any:
    """Trade on the quote."""
    path = _path(artist_id)
    terms = _terms(path.artist_id)
    try:
        body = _body(api.TradeBody, **terms, quote=request.form.get("quote", ""))
        _do(api.trade, body)
    except (Refusal, Problem) as no:
        return _refused(path, no, terms)
    return redirect("/exchange/portfolio#history", 303)


def order(artist_id: str) -> Any:
    """Queue an order for the next close."""
    path = _path(artist_id)
    terms = _terms(path.artist_id)
    try:
        limit = request.form.get("limit", "").strip()
        try:
            units = round(float(limit) * UNITS_PER_CREDIT) if limit else None
        except (ValueError, OverflowError):
            raise Problem("invalid_body", "The limit is a price in credits.") from None
        _do(api.place_order, _body(api.OrderBody, **terms, limit_units=units))
    except (Refusal, Problem) as no:
        return _refused(path, no, terms)
    return redirect("/exchange/orders", 303)


def _refused(path: api.ArtistPath, no: Refusal | Problem, terms: Data) -> Response:
    """The page again with the reason: nobody types twice what was asked."""
    if isinstance(no, Problem) and no.code in ("unauthenticated", "csrf_failed"):
        raise no
    return _artist_page(path, no.status, refusal=no, form=terms)


def portfolio() -> Response:
    """What one owns, how it has gone, what one did."""
    require("read")
    found = _ask(api.own_portfolio, Nothing())
    worth = _ask(api.worth, api.DaysQuery.model_validate({}))
    trades = _ask(api.history, asked(api.Part))
    paid = _ask(api.dividends, api.Part.model_validate({}))
    return _page(
        "exchange_portfolio.html",
        portfolio=found,
        worth=_worth_figure(worth),
        holdings=_holdings(found["holdings"]),
        history=_history(trades["trades"]),
        more=words.address("/exchange/portfolio", offset=trades["next"])
        if trades["next"]
        else None,
        dividends=_dividends(paid),
    )


def _worth_figure(days: list[Data]) -> Figure:
    says = "Cash and holdings together at each close, in credits."
    starts = [date.fromisoformat(row["date"]) for row in days]
    points = [
        (start, row["worth_units"] / UNITS_PER_CREDIT)
        for start, row in zip(starts, days, strict=True)
    ]
    return Figure(
        key="worth",
        title="Net worth",
        summary=says,
        picture=pictures.lines(
            "worth", "Net worth by day", says, [pictures.Line("Net worth", points)]
        ),
        table=Table(
            ["Day", "Net worth", "Cash", "Holdings", "Return"],
            [
                [
                    words.short_day(start),
                    money(row["worth_units"]),
                    money(row["cash_units"]),
                    money(row["holdings_units"]),
                    percent(row["return_ppm"]),
                ]
                for start, row in zip(starts[::-1], days[::-1], strict=True)
            ],
            frozenset(range(1, 5)),
            places_of(starts)[::-1],
        ),
        csv="/api/v1/exchange/worth.csv",
        empty="The first close after your first visit draws the first point.",
    )


def _holdings(rows: list[Data]) -> Figure:
    says = "Worth at the present price, in credits."
    return Figure(
        key="holdings",
        title="Holdings",
        summary=says,
        picture=pictures.bars(
            "holdings",
            "Holdings by worth",
            says,
            [
                (row["artist_name"], row["worth_units"], money(row["worth_units"]))
                for row in rows[:12]
            ],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: stock_link(row["artist_id"], row["artist_name"]),
                False,
            ),
            ("Shares", lambda row: words.number(row["shares"]), True),
            ("Price", lambda row: money(row["price_units"]), True),
            ("Worth", lambda row: money(row["worth_units"]), True),
            ("Paid", lambda row: money(row["cost_units"]), True),
            ("Return", lambda row: moved(row["return_ppm"]), True),
        ),
        csv="/api/v1/exchange/portfolio.csv",
        empty="You own no shares yet. Choose an artist on the market.",
        has_open_table=True,
    )


def _history(rows: list[Data]) -> Figure:
    return Figure(
        key="history",
        title="Trades",
        summary="Newest first, in credits.",
        picture=Markup(""),
        table=table(
            rows,
            ("Time", lambda row: when(row["traded_at"]), False),
            ("", lambda row: row["side"], False),
            (
                "Artist",
                lambda row: stock_link(row["artist_id"], row["artist_name"]),
                False,
            ),
            ("Shares", lambda row: words.number(row["shares"]), True),
            ("Price", lambda row: money(row["price_units"]), True),
            ("Value", lambda row: money(row["value_units"]), True),
            ("Fee", lambda row: money(row["fee_units"]), True),
            ("How", lambda row: str(row["kind"]).replace("_", " "), False),
        ),
        csv="/api/v1/exchange/history.csv",
        empty="No trade yet.",
        has_open_table=True,
    )


def _dividends(paid: Data) -> Figure:
    rows = paid["dividends"]
    return Figure(
        key="dividends",
        title="Dividends",
        summary=f"{money(paid['total_units'])} credits so far; newest first.",
        picture=Markup(""),
        table=table(
            rows,
            (
                "Day",
                lambda row: words.short_day(date.fromisoformat(row["date"])),
                False,
            ),
            (
                "Artist",
                lambda row: stock_link(row["artist_id"], row["artist_name"]),
                False,
            ),
            ("Shares", lambda row: words.number(row["shares"]), True),
            ("Paid", lambda row: money(row["amount_units"], 4), True),
        ),
        csv="/api/v1/exchange/dividends.csv",
        empty="Dividends go to holders of artists who did better than forecast.",
    )


def orders() -> Response:
    """One's orders for the open."""
    require("read")
    found = _ask(api.list_orders, asked(api.OrdersQuery))
    return _page("exchange_orders.html", orders=found["orders"])


def cancel(order_id: str) -> Any:
    """Take a queued order back."""
    try:
        path = api.OrderPath.model_validate({"order_id": order_id})
    except ValidationError:
        raise Problem("not_found", "You have no such order.") from None
    require("trade")
    header = api.KeyHeader.model_validate(
        {"Idempotency-Key": request.form.get("key") or secrets.token_hex(16)}
    )
    _ask(api.cancel_order, path, Nothing(), header)
    return redirect("/exchange/orders", 303)


def all_boards() -> Response:
    """The boards, and where one stands."""
    query = asked(BoardsQuery)
    account = current_account()
    path = api.BoardPath.model_validate({"board": query.board})
    given = query.model_dump(exclude={"board"})
    found = _ask(api.board, path, api.BoardQuery.model_validate(given))
    near = None
    if account is not None:
        rest = {name: given[name] for name in ("league", "friends_league")}
        near = _ask(api.near, path, api.NearQuery.model_validate(rest))
    kept = {"league": query.league, "friends_league": query.friends_league}
    leagues = [("", "all"), *((name, name) for name in LEAGUES)]
    if account is not None:
        leagues.append(("mine", "my cohort"))
    return _page(
        "exchange_boards.html",
        query=query,
        names=pick(
            "/exchange/boards", "board", BOARD_WORDS.items(), query.board, **kept
        ),
        leagues=pick(
            "/exchange/boards", "league", leagues, query.league or "", board=query.board
        ),
        figure=_board(found, query),
        near=_board(near, query, "near") if near and near["rows"] else None,
        position=near["position"] if near else None,
    )


def _board(found: Data, query: BoardsQuery, key: str = "board") -> Figure:
    rows = found["rows"]
    is_worth = query.board == "worth"
    say: Callable[[Any], str] = money if is_worth else percent
    measure = "Net worth" if is_worth else "Return"
    told = found.get("board_date")
    says = measure if is_worth else f"{measure}, {BOARD_WORDS[query.board]}"
    says += f", at the close of {words.day(told)}." if told else "."
    path = f"/api/v1/exchange/boards/{query.board}"
    return Figure(
        key=key,
        title="Near you" if key == "near" else "Board",
        summary=says,
        picture=pictures.bars(
            key,
            says,
            says,
            [
                (
                    row["player_name"],
                    max(row["measure"], 0),
                    say(row["measure"]),
                )
                for row in rows[:10]
            ],
        )
        if key == "board"
        else Markup(""),
        table=table(
            rows,
            ("#", lambda row: words.number(row["rank"]), True),
            ("Player", _player_name, False),
            ("League", lambda row: row["league"], False),
            (measure, lambda row: say(row["measure"]), True),
        ),
        csv=words.address(
            path + ("/near.csv" if key == "near" else ".csv"),
            league=query.league,
            friends_league=query.friends_league,
        ),
        empty="Boards are drawn at each close, once there are players.",
        has_open_table=True,
    )


def _player_name(row: Data) -> Markup:
    name = words.named(row["player_name"])
    if row["player_id"]:
        name = Markup('<a href="/exchange/players/{}">{}</a>').format(
            row["player_id"], name
        )
    return name + Markup(" <em>(you)</em>") if row["is_self"] else name


def profile() -> Response:
    """One's own profile, settings and friends' leagues."""
    require("read")
    own = _ask(api.own_portfolio, Nothing())
    path = api.PlayerPath.model_validate({"player_id": own["player_id"]})
    return _page(
        "exchange_profile.html",
        profile=_ask(api.player_profile, path, Nothing()),
        leagues=_ask(api.friends_leagues, Nothing()),
        is_own=True,
        boards=BOARD_WORDS,
    )


def player(player_id: str) -> Response:
    """A public player."""
    try:
        path = api.PlayerPath.model_validate({"player_id": player_id})
    except ValidationError:
        raise Problem("not_found", "There is no such player.") from None
    return _page(
        "exchange_profile.html",
        profile=_ask(api.player_profile, path, Nothing()),
        leagues=[],
        is_own=False,
        boards=BOARD_WORDS,
    )


def change_settings() -> Any:
    """Change one's name on the boards and who may see one."""
    name = request.form.get("player_name", "").strip() or None
    shown = {"true": True, "false": False}.get(request.form.get("is_public", ""))
    _do(api.change_player, _body(api.PlayerBody, player_name=name, is_public=shown))
    return redirect("/exchange/profile", 303)


def reset() -> Any:
    """Start again."""
    _do(api.reset)
    return redirect("/exchange/portfolio", 303)


def leave() -> Any:
    """Stop playing."""
    if request.form.get("sure") != "yes":
        raise Problem("invalid_body", "Tick the box to say that you mean it.")
    _do(api.leave)
    return redirect("/exchange", 303)


def found_league() -> Any:
    """Found a league among friends."""
    _do(
        api.found_league,
        _body(api.LeagueBody, league_name=request.form.get("league_name", "")),
    )
    return redirect("/exchange/profile#leagues", 303)


def join_league() -> Any:
    """Join a league by its code."""
    _do(api.join_league, _body(api.CodeBody, code=request.form.get("code", "").strip()))
    return redirect("/exchange/profile#leagues", 303)


def leave_league(league_id: str) -> Any:
    """Leave a league."""
    try:
        path = api.LeaguePath.model_validate({"league_id": league_id})
    except ValidationError:
        raise Problem("not_found", "There is no such league.") from None
    require("trade")
    header = api.KeyHeader.model_validate(
        {"Idempotency-Key": request.form.get("key") or secrets.token_hex(16)}
    )
    _ask(api.leave_league, path, Nothing(), header)
    return redirect("/exchange/profile#leagues", 303)


_ECONOMY = (
    (
        "money_supply_units",
        "Money supply",
        "All cash and the fees not paid out yet, in credits.",
    ),
    ("house_exposure_units", "House exposure", "What the house owes, in credits."),
    ("fees_units", "Fees", "Paid by the traders that day, in credits."),
    ("dividends_units", "Dividends", "Paid to holders that day, in credits."),
)


def economy() -> Response:
    """The economy by day."""
    query = asked(api.EconomyQuery)
    rows = _ask(api.economy, query)
    return _page(
        "exchange_economy.html",
        figures=[
            _economy_figure(rows, name, title, says, query.days)
            for name, title, says in _ECONOMY
        ],
        newest=rows[-1] if rows else None,
    )


def _economy_figure(
    rows: list[Data], name: str, title: str, says: str, days: int
) -> Figure:
    starts = [date.fromisoformat(row["date"]) for row in rows]
    points = [
        (start, row[name] / UNITS_PER_CREDIT)
        for start, row in zip(starts, rows, strict=True)
    ]
    return Figure(
        key=name.removesuffix("_units").replace("_", "-"),
        title=title,
        summary=says,
        picture=pictures.lines(name, title, says, [pictures.Line(title, points)]),
        table=Table(
            ["Day", title, "Players"],
            [
                [
                    words.short_day(start),
                    money(row[name]),
                    words.number(row.get("players")),
                ]
                for start, row in zip(starts[::-1], rows[::-1], strict=True)
            ],
            frozenset({1, 2}),
            places_of(starts)[::-1],
        ),
        csv=words.address("/api/v1/exchange/economy.csv", days=days),
        empty="The first close writes the first report.",
    )


def tour() -> Response:
    """The first steps of a player, ticked off as they are done."""
    done: set[str] = set()
    own = None
    if current_account() is not None:
        own = _ask(api.own_portfolio, Nothing())
        done.add("account")
        if _ask(api.history, api.Part.model_validate({"limit": 1}))["trades"]:
            done.add("trade")
        if _ask(api.list_orders, api.OrdersQuery.model_validate({"limit": 1}))[
            "orders"
        ]:
            done.add("order")
        if len(own["holdings"]) >= 5:
            done.add("spread")
        if own["has_seen_tour"]:
            done.add("seen")
    return _page("exchange_tour.html", done=done, own=own)


def end_tour() -> Any:
    """The tour is over."""
    _do(api.change_player, _body(api.PlayerBody, has_seen_tour=True))
    return redirect("/exchange/portfolio", 303)


assert set(get_args(boards.Board)) == set(BOARD_WORDS)
