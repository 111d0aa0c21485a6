"""A view shows one moment: nobody's trade comes between two parts of a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from exchange import boards as board_names
from exchange.market import reopen
from exchange.views import boards as board_views
from exchange.views import market, notices, pages, plain, players, stamped
from tests.exchange.game import Game, artist, values


def trading_after(game: Game, view: Callable[..., Any], player: str) -> Any:
    """The view, behind which somebody trades once, as another request may."""
    left = [3]

    def then_trade(connection: Connection, *given: Any, **named: Any) -> Any:
        found = view(connection, *given, **named)
        if left:
            game.trade(player, "buy", left.pop())
        return found

    return then_trade


def test_a_trade_between_two_reads_of_a_page_is_not_on_it(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = game.join("ann")
    # Once more, so that the trade within is nothing new to the pool of connections.
    game.trade(game.join("bob"), "buy", 1)
    changed = trading_after(game, players.portfolio, ann)
    monkeypatch.setattr(players, "portfolio", changed)
    with game.database.read() as connection:
        page = pages.portfolio_page(connection, ann, limit=10, offset=0)
    assert game.shares(ann) == 3, "nobody traded"
    assert (page.portfolio.holdings, page.trades.trades) == ((), ())
    with game.database.read() as connection:
        after = pages.portfolio_page(connection, ann, limit=10, offset=0)
    assert [one.shares for one in after.portfolio.holdings] == [3]
    assert [one.shares for one in after.trades.trades] == [3]


def test_parts_read_in_transactions_of_their_own_contradict_each_other(
    game: Game,
) -> None:
    """The control: this is what a page looked like before."""
    ann = game.join("ann")
    changed = trading_after(game, players.portfolio, ann)
    with game.database.read() as connection:
        own = changed(connection, ann)
    with game.database.read() as connection:
        trades = players.history(connection, ann)
    assert own.holdings == ()
    assert [one.shares for one in trades.trades] == [3]


def test_an_answer_is_stamped_with_the_version_of_its_own_snapshot(
    game: Game,
) -> None:
    def close_meanwhile(connection: Connection) -> int:
        listed = market.artist(connection, artist("Low")).fundamental_price_units
        game.next_day()
        return listed

    with game.database.read() as connection:
        answer = stamped(close_meanwhile)(connection)
    assert (answer.version, answer.as_of) == ("20240301-000001", date(2024, 3, 1))
    with game.database.read() as connection:
        assert stamped(market.status)(connection).version == "20240302-000001"


def test_every_board_can_be_read_by_a_visitor_and_by_a_player(game: Game) -> None:
    ann = game.join("ann")
    game.next_day()
    for name in board_names.BOARDS:
        with game.database.read() as connection:
            seen = board_views.board(connection, None, name)
            near = board_views.near(connection, ann, name)
        assert [row.is_self for row in seen.rows] == [False]
        assert [row.is_self for row in near.rows] == [True]


def test_who_is_on_no_board_is_not_ranked(game: Game) -> None:
    ann = game.join("ann")
    with game.database.read() as connection:
        near = board_views.near(connection, ann, "worth")
    assert plain(near) == {"board": "worth", "position": None, "rank": None, "rows": []}


def test_plain_rows_write_days_and_times_as_the_api_does() -> None:
    day = market.Season(1, date(2024, 3, 1))
    assert plain(day) == {"season": 1, "start_date": "2024-03-01"}
    assert plain([datetime(2024, 3, 1, 2)]) == ["2024-03-01T02:00:00.000000Z"]


def test_notices_tell_of_fills_dividends_and_the_beginning_of_a_halt(
    game: Game,
) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 5)
    game.order(ann, "buy", 3)
    game.order(ann, "buy", 4, limit=1)
    for _ in range(3):
        # Fees come from somebody, so that there is something to pay.
        game.trade(bob, "buy", 5, "Can")
        game.next_day(values(surprise_milli=2_000))
    for _ in range(2):
        game.next_day(values(is_halted=True))
    with game.database.read() as connection:
        found = notices.notices(connection, ann, limit=50)
        newest = notices.notices(connection, ann, limit=1)
        none = notices.notices(connection, game.join("new"), limit=50)
    kinds = [one.kind for one in found]
    assert kinds.count("filled") == kinds.count("unfilled") == 1
    assert kinds.count("dividend") >= 1
    # Two days of one halt are one notice.
    assert kinds.count("halted") == 1 and newest == found[:1] and none == ()
    assert [one.noticed_at for one in found] == sorted(
        (one.noticed_at for one in found), reverse=True
    )
    (fill,) = [one for one in found if one.kind == "filled"]
    assert (fill.shares, fill.asked_shares, fill.artist_name) == (3, 3, "Low")


def test_the_header_and_the_portfolio_agree(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 5)
    game.order(ann, "buy", 3)
    with game.database.read() as connection:
        own = players.portfolio(connection, ann)
        standing = players.standing(connection, ann)
        nobody = players.standing(connection, "nobody")
    assert standing is not None and nobody is None
    assert (
        standing.cash_units,
        standing.reserved_units,
        standing.worth_units,
        standing.day_return_ppm,
    ) == (own.cash_units, own.reserved_units, own.worth_units, own.day_return_ppm)
    assert standing.reserved_units > 0


def test_the_market_says_when_it_reopens_by_the_length_of_past_runs(
    game: Game,
) -> None:
    def closed_for() -> float:
        game.close(fence=1)
        with game.database.read() as connection:
            status = market.status(connection)
        assert status.reopens_at is not None
        return (status.reopens_at - game.now).total_seconds() / 60

    lengths = []
    game.wait(hours=1)
    for minutes in (4, 6, 50):
        # Until three are known it is what is set.
        lengths.append(closed_for())
        game.wait(minutes=minutes)
        game.open(fence=1)
        game.wait(hours=1)
    assert lengths == [30, 30, 30]
    assert closed_for() == 6
    # What a person opened is no run's length: the control.
    game.wait(minutes=500)
    with game.database.write() as connection:
        reopen(connection, game.clock, "a person", "to see")
    assert closed_for() == 6
