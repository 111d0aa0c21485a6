"""The exchange's pages: market, artist with trade form, portfolio, orders, boards.

A page reads with one view, so that everything on it is of one moment, and writes with
the actions of the API's routes, so that it may do what a program with the same rights
may do. Forms work without scripts; a script only counts a quote's seconds down. Nothing
is cached.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import BaseModel, ValidationError

from exchange import trading
from exchange.errors import Refusal
from exchange.player_request import Answer
from exchange.settings import UNITS_PER_CREDIT
from exchange.views import pages as views
from exchange.views.boards import Near
from exchange.views.market import LISTS, Status
from serve import exchange_actions as actions
from serve.accounts import csrf_token, current_account, require
from serve.api import exchange_models as models
from serve.exchange_access import (
    exchange,
    read,
    read_as_viewer,
    read_for,
    read_own,
    recommended_artists,
)
from serve.pages import formatting
from serve.pages.exchange_figures import (
    BOARD_WORDS,
    ECONOMY,
    LIST_WORDS,
    BoardsQuery,
    MarketQuery,
    board_figure,
    board_pickers,
    dividends_figure,
    economy_figure,
    history_figure,
    holdings_figure,
    money,
    moved,
    percent,
    price_figure,
    rate,
    stock_link,
    stocks_figure,
    when,
    worth_figure,
)
from serve.pages.site import asked, pick
from serve.problems import Problem

PARTS = (
    ("/exchange", "Market"),
    ("/exchange/portfolio", "Portfolio"),
    ("/exchange/orders", "Orders"),
    ("/exchange/boards", "Boards"),
    ("/exchange/profile", "Profile"),
    ("/exchange/economy", "Economy"),
    ("/exchange/tour", "First steps"),
)
Form = dict[str, Any]
"""What was typed into a form, to be shown again."""
Model = TypeVar("Model", bound=BaseModel)


def add_routes(blueprint: Blueprint) -> None:
    """Everything under `/exchange`."""

    def get(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(blueprint, rule, view, "GET")

    def post(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(blueprint, rule, view, "POST")

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


def _add(
    blueprint: Blueprint, rule: str, view: Callable[..., Any], method: str
) -> None:
    blueprint.add_url_rule(rule, f"exchange_{view.__name__}", view, methods=[method])


def _page(template: str, status: Status, code: int = 200, **given: Any) -> Response:
    account = current_account()
    body = render_template(
        template,
        published=None,
        is_private=True,
        parts=PARTS,
        status=status,
        account=account,
        csrf=csrf_token(account) if account else None,
        fresh_key=lambda: secrets.token_hex(16),
        money=money,
        percent=percent,
        rate=rate,
        moved=moved,
        when=when,
        stock_link=stock_link,
        **given,
    )
    response = Response(body, status=code, mimetype="text/html")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Cookie"
    return response


# What a form sends -----------------------------------------------------------


def _key() -> str:
    """The form's Idempotency-Key; a form sent twice is answered once."""
    given = {"Idempotency-Key": request.form.get("key") or secrets.token_hex(16)}
    return _valid(models.KeyHeader, **given).idempotency_key


def _valid(model: type[Model], **given: Any) -> Model:
    """A form as what the API takes; a problem names the fields that do not fit."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fields = "; ".join(
            f"{item['loc'][0]}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise Problem("invalid_body", f"This cannot be asked. {fields}") from None


def _path(model: type[Model], missing: str, **given: str) -> Model:
    """A key in the address; a key of another form is of nothing that exists."""
    try:
        return model.model_validate(given)
    except ValidationError:
        raise Problem("not_found", missing) from None


def _number(name: str) -> Any:
    """A whole number of a form; other text is left to the model to refuse."""
    text = request.form.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text


def _terms(artist_id: str) -> Form:
    return {
        "artist_id": artist_id,
        "side": request.form.get("side", ""),
        "shares": _number("shares"),
    }


def _done(answer: Answer) -> None:
    """Raise a refused write as the problem it is."""
    if answer.status >= 400:
        raise Problem(answer.body["code"], answer.body["detail"])


# Market and artist -----------------------------------------------------------


def market() -> Response:
    """What is on the market, list by list."""
    query = asked(MarketQuery)
    if query.list == "recommended":
        account = require("read")
        wanted = recommended_artists(account)
        page = read_for(account, views.recommended_page, wanted)
    elif query.list in LISTS:
        page = read(
            views.market_page,
            query.list,
            tag=query.tag,
            limit=query.limit,
            offset=query.offset,
        )
    else:
        raise Problem("not_found", f"there is no list {query.list!r}")
    choices = list(LIST_WORDS.items())
    if current_account() is not None:
        choices.append(("recommended", "for you"))
    return _page(
        "exchange_market.html",
        page.status,
        lists=pick("/exchange", "list", choices, query.list, tag=query.tag),
        query=query,
        figure=stocks_figure(page.artists, query),
        more=formatting.address(
            "/exchange", list=query.list, tag=query.tag, offset=page.next
        )
        if page.next
        else None,
    )


def _artist_path(artist_id: str) -> models.ArtistPath:
    return _path(models.ArtistPath, "No artist has this key.", artist_id=artist_id)


def artist(artist_id: str) -> Response:
    """One artist on the market: price, what one holds, and the forms to trade."""
    path = _artist_path(artist_id)
    try:
        return _artist_page(_read_artist(path))
    except Refusal as refusal:
        if refusal.code not in ("rejoin_too_soon", "account_too_new"):
            raise
        # Who may not play yet may look.
        page = read(views.artist_page, None, path.artist_id)
        return _artist_page(page, refusal=refusal)


def _read_artist(path: models.ArtistPath) -> views.ArtistPage:
    if current_account() is None:
        return read_as_viewer(views.artist_page, path.artist_id)
    return read_own(views.artist_page, path.artist_id)


def _artist_page(
    page: views.ArtistPage,
    code: int = 200,
    *,
    quote: Form | None = None,
    refusal: Refusal | Problem | None = None,
    form: Form | None = None,
) -> Response:
    shared = exchange()
    rates = {
        side: trading.fee_rate(
            shared.settings, page.status, page.artist, side, shared.clock()
        )
        for side in ("buy", "sell")
    }
    return _page(
        "exchange_artist.html",
        page.status,
        code,
        rates=rates,
        rules=shared.settings,
        artist=page.artist,
        own=page.own,
        prices=price_figure(page.artist, page.prices),
        quote=quote,
        refusal=refusal,
        form=form or {},
    )


def ask_quote(artist_id: str) -> Response:
    """A quote on the artist's page, with the seconds it is good for."""
    path = _artist_path(artist_id)
    account = require("trade")
    terms = _terms(path.artist_id)
    shared = exchange()
    try:
        body = _valid(models.TermsBody, **terms)
    except Problem as problem:
        return _refused(path, problem, terms)
    found = read_for(
        account,
        views.quote_page,
        shared.clock,
        shared.settings,
        body.artist_id,
        body.side,
        body.shares,
        key=shared.quote_key,
    )
    if found.refusal is not None:
        refusal = found.refusal
        return _artist_page(found.page, refusal.status, refusal=refusal, form=terms)
    return _artist_page(found.page, quote={**(found.quote or {}), **terms}, form=terms)


def trade(artist_id: str) -> Any:
    """Trade on the quote."""
    path = _artist_path(artist_id)
    require("trade")
    terms = _terms(path.artist_id)
    try:
        quote = request.form.get("quote", "")
        _done(actions.trade(_key(), _valid(models.TradeBody, **terms, quote=quote)))
    except (Refusal, Problem) as refusal:
        return _refused(path, refusal, terms)
    return redirect("/exchange/portfolio#history", 303)


def order(artist_id: str) -> Any:
    """Queue an order for the next close."""
    path = _artist_path(artist_id)
    require("trade")
    terms = _terms(path.artist_id)
    try:
        body = _valid(models.OrderBody, **terms, limit_units=_limit_units())
        _done(actions.place_order(_key(), body))
    except (Refusal, Problem) as refusal:
        return _refused(path, refusal, terms)
    return redirect("/exchange/orders", 303)


def _limit_units() -> int | None:
    """The limit of a form in units; None for no limit."""
    limit = request.form.get("limit", "").strip()
    try:
        return round(float(limit) * UNITS_PER_CREDIT) if limit else None
    except (ValueError, OverflowError):
        raise Problem("invalid_body", "The limit is a price in credits.") from None


def _refused(
    path: models.ArtistPath, refusal: Refusal | Problem, terms: Form
) -> Response:
    """The page again with the reason: nobody has to type the same twice."""
    page = _read_artist(path)
    return _artist_page(page, refusal.status, refusal=refusal, form=terms)


# One's own -------------------------------------------------------------------


def portfolio() -> Response:
    """What one owns, how it has gone, what one did."""
    require("read")
    query = asked(models.Part)
    page = read_own(views.portfolio_page, limit=query.limit, offset=query.offset)
    following = page.trades.next
    return _page(
        "exchange_portfolio.html",
        page.status,
        portfolio=page.portfolio,
        worth=worth_figure(page.worth),
        holdings=holdings_figure(page.portfolio.holdings),
        history=history_figure(page.trades.trades),
        more=formatting.address("/exchange/portfolio", offset=following)
        if following
        else None,
        dividends=dividends_figure(page.dividends),
    )


def orders() -> Response:
    """One's orders for the open."""
    require("read")
    query = asked(models.OrdersQuery)
    page = read_own(
        views.orders_page, state=query.state, limit=query.limit, offset=query.offset
    )
    return _page("exchange_orders.html", page.status, orders=page.orders.orders)


def cancel(order_id: str) -> Any:
    """Take a queued order back."""
    path = _path(models.OrderPath, "You have no such order.", order_id=order_id)
    require("trade")
    _done(actions.cancel_order(_key(), path))
    return redirect("/exchange/orders", 303)


def all_boards() -> Response:
    """The boards, and where one stands."""
    query = asked(BoardsQuery)
    account = current_account()
    needs_player = query.league == "mine" or query.friends_league is not None
    is_player = account is not None or needs_player
    page = (read_own if is_player else read_as_viewer)(
        views.boards_page,
        query.board,
        league=query.league,
        friends_league_id=query.friends_league,
        limit=query.limit,
        offset=query.offset,
    )
    near = page.near if isinstance(page.near, Near) else None
    return _page(
        "exchange_boards.html",
        page.status,
        query=query,
        **board_pickers(query, is_player=account is not None),
        figure=board_figure(page.board.rows, page.board.board_date, query),
        near=board_figure(near.rows, near.board_date, query, "near") if near else None,
        position=near.position if near else None,
    )


def profile() -> Response:
    """One's own profile, settings and friends' leagues."""
    return _profile_page(read_own(views.own_profile_page), is_own=True)


def player(player_id: str) -> Response:
    """A public player."""
    path = _path(models.PlayerPath, "There is no such player.", player_id=player_id)
    page = read_as_viewer(views.profile_page, path.player_id)
    return _profile_page(page, is_own=False)


def _profile_page(page: views.ProfilePage, *, is_own: bool) -> Response:
    return _page(
        "exchange_profile.html",
        page.status,
        rules=exchange().settings,
        profile=page.profile,
        leagues=page.leagues,
        is_own=is_own,
        boards=BOARD_WORDS,
    )


def change_settings() -> Any:
    """Change one's name on the boards and who may see one."""
    require("trade")
    name = request.form.get("player_name", "").strip() or None
    shown = {"true": True, "false": False}.get(request.form.get("is_public", ""))
    body = _valid(models.PlayerBody, player_name=name, is_public=shown)
    _done(actions.change_settings(_key(), body))
    return redirect("/exchange/profile", 303)


def reset() -> Any:
    """Start again; asks whether that is meant."""
    require("trade")
    if request.form.get("sure") != "yes":
        return _ask_again("reset")
    _done(actions.reset(_key()))
    return redirect("/exchange/portfolio", 303)


def leave() -> Any:
    """Stop playing; asks whether that is meant."""
    require("trade")
    if request.form.get("sure") != "yes":
        return _ask_again("leave")
    _done(actions.leave(_key()))
    return redirect("/exchange", 303)


def _ask_again(action: str) -> Response:
    """What goes with a reset, or when one leaves, and the button that does it."""
    page = read_own(views.portfolio_page, limit=1, offset=0)
    return _page(
        "exchange_sure.html",
        page.status,
        action=action,
        portfolio=page.portfolio,
        rules=exchange().settings,
    )


def found_league() -> Any:
    """Found a league among friends."""
    require("trade")
    name = request.form.get("league_name", "")
    _done(actions.found_league(_key(), _valid(models.LeagueBody, league_name=name)))
    return redirect("/exchange/profile#leagues", 303)


def join_league() -> Any:
    """Join a league by its code."""
    require("trade")
    code = request.form.get("code", "").strip()
    _done(actions.join_league(_key(), _valid(models.CodeBody, code=code)))
    return redirect("/exchange/profile#leagues", 303)


def leave_league(league_id: str) -> Any:
    """Leave a league."""
    path = _path(models.LeaguePath, "There is no such league.", league_id=league_id)
    require("trade")
    _done(actions.leave_league(_key(), path))
    return redirect("/exchange/profile#leagues", 303)


# For everybody ---------------------------------------------------------------


def economy() -> Response:
    """The economy by day."""
    query = asked(models.EconomyQuery)
    page = read(views.economy_page, days=query.days)
    return _page(
        "exchange_economy.html",
        page.status,
        figures=[
            economy_figure(page.days, name, title, summary, query.days)
            for name, title, summary in ECONOMY
        ],
        newest=page.days[-1] if page.days else None,
    )


def tour() -> Response:
    """The first steps of a player, ticked off as they are done."""
    is_visitor = current_account() is None
    page = (read_as_viewer if is_visitor else read_own)(views.tour_page)
    return _page(
        "exchange_tour.html",
        page.status,
        done=page.done,
        own=page.portfolio,
        rules=exchange().settings,
    )


def end_tour() -> Any:
    """The tour is over."""
    require("trade")
    body = _valid(models.PlayerBody, has_seen_tour=True)
    _done(actions.change_settings(_key(), body))
    return redirect("/exchange/portfolio", 303)
