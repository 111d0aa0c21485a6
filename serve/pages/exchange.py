"""The exchange's pages: market, portfolio, orders, boards, profile, economy, tour.

A page reads with one view, so that everything on it is of one moment, and writes with
the actions of the API's routes, so that it may do what a program with the same rights
may do. Forms work without scripts. An artist and the trade form: `exchange_artist`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request

from exchange.views import pages as views
from exchange.views.boards import Near, NotRanked
from exchange.views.market import LISTS
from serve import exchange_actions as actions
from serve.accounts import current_account, require, require_fresh
from serve.api import exchange_models as models
from serve.exchange_access import (
    exchange,
    read_as_viewer,
    read_for,
    read_own,
    recommended_artists,
)
from serve.pages import formatting
from serve.pages.exchange_artist import artist, ask_quote, order, ticket, trade
from serve.pages.exchange_feed import feed, new_address
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
    notice_words,
    returns_figure,
    stocks_figure,
    worth_figure,
)
from serve.pages.exchange_histories import fundamental_prices
from serve.pages.exchange_site import (
    exchange_page,
    form_key,
    known_path,
    require_done,
    valid,
)
from serve.pages.site import asked, pick, takes
from serve.problems import Problem


def add_routes(blueprint: Blueprint) -> None:
    """Everything under `/exchange`."""

    def get(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(blueprint, rule, view, "GET")

    def post(rule: str) -> Callable[[Callable[..., Any]], None]:
        return lambda view: _add(blueprint, rule, view, "POST")

    get("/exchange")(market)
    get("/exchange/artists/<artist_id>")(artist)
    get("/exchange/artists/<artist_id>/ticket")(ticket)
    post("/exchange/artists/<artist_id>/quote")(ask_quote)
    post("/exchange/artists/<artist_id>/trade")(trade)
    post("/exchange/artists/<artist_id>/order")(order)
    get("/exchange/portfolio")(portfolio)
    get("/exchange/standing")(standing)
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
    get("/exchange/feed/<token>")(feed)
    post("/exchange/feed")(make_feed)
    get("/exchange/economy")(economy)
    get("/exchange/tour")(tour)
    post("/exchange/tour/done")(end_tour)


def _add(
    blueprint: Blueprint, rule: str, view: Callable[..., Any], method: str
) -> None:
    blueprint.add_url_rule(rule, f"exchange_{view.__name__}", view, methods=[method])


# Market ----------------------------------------------------------------------


@takes(MarketQuery)
def market() -> Response:
    """What is on the market, list by list."""
    query = asked(MarketQuery)
    if query.list == "recommended":
        account = require("read")
        wanted = recommended_artists(account)
        page = read_for(account, views.recommended_page, wanted)
    elif query.list in LISTS:
        page = read_as_viewer(
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
    return exchange_page(
        "exchange_market.html",
        page.frame,
        lists=pick("/exchange", "list", choices, query.list, tag=query.tag),
        query=query,
        figure=stocks_figure(
            page.artists,
            query,
            fundamental_prices([one.artist_id for one in page.artists]),
        ),
        more=formatting.address(
            "/exchange", list=query.list, tag=query.tag, offset=page.next
        )
        if page.next
        else None,
    )


# One's own -------------------------------------------------------------------


@takes(models.Part)
def portfolio() -> Response:
    """What one owns, how it has gone, what one did."""
    require("read")
    query = asked(models.Part)
    page = read_own(views.portfolio_page, limit=query.limit, offset=query.offset)
    following = page.trades.next
    return exchange_page(
        "exchange_portfolio.html",
        page.frame,
        portfolio=page.portfolio,
        worth=worth_figure(page.worth),
        returns=returns_figure(page.worth, page.index),
        holdings=holdings_figure(page.portfolio),
        notices=page.notices,
        notice_words=notice_words,
        history=history_figure(page.trades.trades),
        more=formatting.address("/exchange/portfolio", offset=following)
        if following
        else None,
        dividends=dividends_figure(page.dividends),
    )


def standing() -> Response:
    """The cash of who is logged in, for the header of every page."""
    found = read_as_viewer(views.frame).standing
    response = jsonify(cash=None if found is None else money(found.cash_units))
    response.headers["Cache-Control"] = "private, no-store"
    return response


@takes(models.OrdersQuery)
def orders() -> Response:
    """One's orders for the open."""
    require("read")
    query = asked(models.OrdersQuery)
    page = read_own(
        views.orders_page, state=query.state, limit=query.limit, offset=query.offset
    )
    waiting = [one for one in page.orders.orders if one.state == "queued"]
    ended = [one for one in page.orders.orders if one.state != "queued"]
    following = page.orders.next
    return exchange_page(
        "exchange_orders.html",
        page.frame,
        waiting=waiting,
        ended=ended,
        more=formatting.address("/exchange/orders", offset=following)
        if following
        else None,
    )


def cancel(order_id: str) -> Any:
    """Take a queued order back."""
    path = known_path(models.OrderPath, "You have no such order.", order_id=order_id)
    require("trade")
    require_done(actions.cancel_order(form_key(), path))
    return redirect("/exchange/orders", 303)


@takes(BoardsQuery)
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
    return exchange_page(
        "exchange_boards.html",
        page.frame,
        query=query,
        **board_pickers(query, is_player=account is not None),
        figure=board_figure(page.board.rows, page.board.board_date, query),
        near=board_figure(near.rows, near.board_date, query, "near") if near else None,
        position=near.position if near else None,
        is_missing=isinstance(page.near, NotRanked),
    )


def profile() -> Response:
    """One's own profile, settings and friends' leagues."""
    return _profile_page(read_own(views.own_profile_page), is_own=True)


def player(player_id: str) -> Response:
    """A public player."""
    path = known_path(
        models.PlayerPath, "There is no such player.", player_id=player_id
    )
    page = read_as_viewer(views.profile_page, path.player_id)
    return _profile_page(page, is_own=False)


def make_feed() -> Response:
    """A new address of one's private feed, told this once."""
    address = new_address()
    page = read_own(views.own_profile_page)
    return _profile_page(page, is_own=True, feed_address=address)


def _profile_page(
    page: views.ProfilePage, *, is_own: bool, feed_address: str | None = None
) -> Response:
    return exchange_page(
        "exchange_profile.html",
        page.frame,
        rules=exchange().settings,
        profile=page.profile,
        leagues=page.leagues,
        open_code=page.open_code,
        is_own=is_own,
        feed_address=feed_address,
        boards=BOARD_WORDS,
    )


def change_settings() -> Any:
    """Change one's name on the boards and who may see one."""
    require("trade")
    name = request.form.get("player_name", "").strip() or None
    shown = {"true": True, "false": False}.get(request.form.get("is_public", ""))
    body = valid(models.PlayerBody, player_name=name, is_public=shown)
    require_done(actions.change_settings(form_key(), body))
    return redirect("/exchange/profile", 303)


def reset() -> Any:
    """Start again; asks whether that is meant, and by whom."""
    require_fresh("trade", "/exchange/profile")
    if request.form.get("sure") != "yes":
        return _ask_again("reset")
    require_done(actions.reset(form_key()))
    return redirect("/exchange/portfolio", 303)


def leave() -> Any:
    """Stop playing; asks whether that is meant, and by whom."""
    require_fresh("trade", "/exchange/profile")
    if request.form.get("sure") != "yes":
        return _ask_again("leave")
    require_done(actions.leave(form_key()))
    return redirect("/exchange", 303)


def _ask_again(action: str) -> Response:
    """What goes with a reset, or when one leaves, and the button that does it."""
    page = read_own(views.portfolio_page, limit=1, offset=0)
    return exchange_page(
        "exchange_sure.html",
        page.frame,
        action=action,
        portfolio=page.portfolio,
        rules=exchange().settings,
    )


def found_league() -> Any:
    """Found a league among friends."""
    require("trade")
    name = request.form.get("league_name", "")
    require_done(
        actions.found_league(form_key(), valid(models.LeagueBody, league_name=name))
    )
    return redirect("/exchange/profile#leagues", 303)


def join_league() -> Any:
    """Join a league by its code."""
    require("trade")
    code = request.form.get("code", "").strip()
    require_done(actions.join_league(form_key(), valid(models.CodeBody, code=code)))
    return redirect("/exchange/profile#leagues", 303)


def leave_league(league_id: str) -> Any:
    """Leave a league."""
    path = known_path(
        models.LeaguePath, "There is no such league.", league_id=league_id
    )
    require("trade")
    require_done(actions.leave_league(form_key(), path))
    return redirect("/exchange/profile#leagues", 303)


# For everybody ---------------------------------------------------------------


@takes(models.EconomyQuery)
def economy() -> Response:
    """The economy by day."""
    query = asked(models.EconomyQuery)
    page = read_as_viewer(views.economy_page, days=query.days)
    return exchange_page(
        "exchange_economy.html",
        page.frame,
        figures=[
            economy_figure(page.days, name, title, summary, query.days)
            for name, title, summary in ECONOMY
        ],
        newest=page.days[-1] if page.days else None,
        simulated=page.simulated,
    )


def tour() -> Response:
    """The first steps of a player, ticked off as they are done."""
    is_visitor = current_account() is None
    page = (read_as_viewer if is_visitor else read_own)(views.tour_page)
    return exchange_page(
        "exchange_tour.html",
        page.frame,
        done=page.done,
        own=page.portfolio,
        rules=exchange().settings,
    )


def end_tour() -> Any:
    """The tour is over."""
    require("trade")
    body = valid(models.PlayerBody, has_seen_tour=True)
    require_done(actions.change_settings(form_key(), body))
    return redirect("/exchange/portfolio", 303)
