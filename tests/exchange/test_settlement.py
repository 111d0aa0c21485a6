"""The close of a day: once, in order, whole, and to the last unit."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from exchange import ledger, market, players, pricing, schema, settlement
from exchange.database import Database
from exchange.errors import Refusal
from exchange.settlement import SettlementInputs, close_day, split
from tests.exchange.game import FIRST_DAY, NAMES, SETTINGS, Game, artist, values


def test_a_day_is_settled_once(game: Game) -> None:
    game.close()
    again = game.database.run(
        lambda c: settlement.settle(
            c,
            game.clock,
            game.settings,
            SettlementInputs(FIRST_DAY, "other", game.now, values(50)),
        )
    )
    assert again.is_repeat
    assert game.listing().fundamental_price_units == 1_000_000


def test_days_are_settled_in_order(game: Game) -> None:
    game.close()
    late = SettlementInputs(FIRST_DAY + timedelta(days=2), "v", game.now, values())
    with pytest.raises(Refusal, match="wrong_order"):
        game.database.run(
            lambda c: settlement.settle(c, game.clock, game.settings, late)
        )


def test_an_open_market_cannot_be_settled(game: Game) -> None:
    with pytest.raises(Refusal, match="close the market"):
        game.settle()


def test_a_run_that_was_overtaken_can_neither_close_settle_nor_open(
    game: Game,
) -> None:
    game.close(fence=7)
    for action in (
        lambda: game.close(fence=6),
        lambda: game.settle(fence=6),
        lambda: game.open(fence=6),
    ):
        with pytest.raises(Refusal, match="superseded"):
            action()
    game.settle(fence=7)
    assert game.open(fence=7)


def test_five_settlements_at_once_settle_once(game: Game) -> None:
    game.close()
    day = FIRST_DAY + timedelta(days=1)
    inputs = SettlementInputs(day, "v2", game.now, values(110))
    settled: list[settlement.Settled] = []

    def settle() -> None:
        settled.append(
            game.database.run(
                lambda c: settlement.settle(c, game.clock, game.settings, inputs)
            )
        )

    threads = [threading.Thread(target=settle) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(s.is_repeat for s in settled) == [False, True, True, True, True]
    assert len(game.rows(schema.settlements)) == 2
    assert len(game.rows(schema.checkpoints)) == 2


@pytest.mark.parametrize(
    "step",
    [
        "take_prices",
        "clear_orders",
        "close_prices",
        "pay_dividends",
        "write_prices",
        "write_accounts",
        "write_boards",
        "write_economy",
        "begin_next_session",
    ],
)
def test_a_settlement_killed_at_work_leaves_nothing_half(game: Game, step: str) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "buy", 5)
    game.close()
    before = everything(game)
    # A connection must not be shared with the child.
    game.database.dispose()
    context = multiprocessing.get_context("fork")
    reached = context.Event()
    url = game.database.url.render_as_string(hide_password=False)
    child = context.Process(target=settle_and_hang, args=(url, game.now, step, reached))
    child.start()
    try:
        assert reached.wait(30)
    finally:
        child.kill()
        child.join(30)
    assert child.exitcode == -signal.SIGKILL
    assert everything(game) == before
    assert game.settle(values(120)).outcome == "settled"


def settle_and_hang(url: str, now: datetime, step: str, reached: Any) -> None:
    """Settle a day in a process of its own, and stop for ever behind a step."""
    original = getattr(close_day, step)

    def hangs(*arguments: object) -> None:
        original(*arguments)
        reached.set()
        time.sleep(60)

    setattr(close_day, step, hangs)
    game = Game(Database(url))
    game.now = now
    game.settle(values(120))


def everything(game: Game) -> dict[str, list[Any]]:
    """Every row of every table."""
    with game.database.read() as connection:
        return {
            table.name: list(
                connection.execute(select(table).order_by(*table.primary_key))
            )
            for table in schema.metadata.sorted_tables
        }


def test_orders_clear_at_the_new_price_and_at_one_price(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(bob, "buy", 20)
    game.order(ann, "buy", 10)
    game.order(bob, "sell", 4)
    game.next_day(values(120))
    trades = game.rows(schema.trades, schema.trades.c.kind == "open")
    assert {(t.player_id, t.side, t.shares) for t in trades} == {
        (ann, "buy", 10),
        (bob, "sell", 4),
    }
    exact = pricing.mean_price(1_200_000, 4000, 20_000_000, 6)
    by_side = {t.side: t.value_units for t in trades}
    assert by_side["buy"] == pricing.ceiling(exact * 10)
    assert by_side["sell"] == pricing.floor(exact * 4)
    assert {t.fee_units for t in trades} == {
        pricing.fee_of(value, 10_000) for value in by_side.values()
    }


def test_an_order_beyond_its_limit_is_not_filled(game: Game) -> None:
    ann = game.join("ann")
    game.order(ann, "buy", 10, limit=1_100_000)
    game.order(ann, "buy", 5, limit=1_300_000)
    game.next_day(values(120))
    states = {
        order.shares: (order.state, order.reason) for order in game.rows(schema.orders)
    }
    assert states == {10: ("unfilled", "limit_price"), 5: ("filled", None)}
    assert game.shares(ann) == 5


def test_an_order_nobody_can_pay_is_filled_as_far_as_it_can_be(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"holding_limit_pct": 200})
    ann = game.join("ann")
    game.order(ann, "buy", 1000)
    game.next_day()
    order = game.rows(schema.orders)[0]
    assert (order.state, order.reason) == ("part_filled", "insufficient_funds")
    assert order.filled_shares == 193
    assert 0 <= game.player(ann).cash_units < 2_000_000


def test_an_order_stops_at_a_fifth_of_net_worth(game: Game) -> None:
    ann = game.join("ann")
    game.order(ann, "buy", 150)
    game.next_day()
    order = game.rows(schema.orders)[0]
    assert (order.state, order.reason) == ("part_filled", "limit_reached")
    assert 38 <= order.filled_shares <= 40


def test_an_order_to_sell_what_has_been_sold_is_cut(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "sell", 10)
    game.trade(ann, "sell", 7)
    game.next_day()
    order = game.rows(schema.orders)[0]
    assert (order.filled_shares, order.reason) == (3, "insufficient_shares")


def test_orders_of_a_halted_artist_wait_and_its_price_is_not_clipped(
    game: Game,
) -> None:
    ann = game.join("ann")
    game.order(ann, "buy", 10)
    game.next_day(values(900, is_halted=True, halt_reason="z is 9"))
    assert game.rows(schema.orders)[0].state == "queued"
    assert game.listing().price_units == 9_000_000
    with pytest.raises(Refusal, match="artist_halted"):
        game.quote(ann, "buy", 1)
    game.next_day(values(900))
    assert game.rows(schema.orders)[0].state != "queued"


def test_a_rolled_day_keeps_prices_and_orders_and_still_counts(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "buy", 5)
    before = game.listing()
    game.close()
    settled = game.settle(values(500), is_rolled=True, reason="load incomplete")
    game.open()
    after = game.listing()
    assert settled.outcome == "rolled"
    assert game.rows(schema.orders)[0].state == "queued"
    assert (after.price_units, after.baseline_micros) == (
        before.price_units,
        before.baseline_micros,
    )
    assert len(game.rows(schema.account_days)) == 1
    assert game.rows(schema.market)[0].version == "20240301-000001"


def test_a_delisted_artist_is_sold_back_at_its_last_price(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "buy", 5)
    cash = game.player(ann).cash_units
    gone = tuple(
        v if v.artist_name != "Low" else type(v)(**{**v.__dict__, "is_listed": False})
        for v in values(70)
    )
    game.next_day(gone)
    assert game.shares(ann) == 0
    # Pushed above its fundamental price by the buyer alone: paid at that price.
    assert game.player(ann).cash_units == cash + 10 * 1_000_000
    assert game.rows(schema.orders)[0].reason == "delisted"
    with pytest.raises(Refusal, match="artist_not_listed"):
        game.quote(ann, "buy", 1)
    game.next_day(values(80))
    assert game.quote(ann, "buy", 1)["value_units"] in range(800_000, 801_000)


def test_an_artist_without_a_value_is_halted_not_sold(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.next_day(tuple(v for v in values() if v.artist_name != "Low"))
    assert game.shares(ann) == 10
    assert game.listing().is_halted


def test_dividends_are_the_pool_to_the_last_unit(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 30)
    game.trade(bob, "buy", 7, "Can")
    game.next_day(values(surprise_milli=1500))
    game.next_day(values())
    assert game.rows(schema.dividends) == []
    settled = game.next_day(values())
    fees = sum(t.fee_units for t in game.rows(schema.trades))
    # Two days' fees were carried, and the issuance is paid with the first dividend.
    assert settled.dividends_units == fees + 2 * 10_000
    paid = game.rows(schema.dividends)
    assert sum(row.amount_units for row in paid) == settled.dividends_units
    assert {row.player_id: row.weight for row in paid} == {ann: 45_000, bob: 10_500}
    assert all(game.listing(name).fees_units == 0 for name in NAMES)
    assert game.violations() == []


def test_shares_bought_after_the_surprise_was_published_get_no_dividend(
    game: Game,
) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 10)
    game.next_day(values(surprise_milli=1500))
    game.trade(bob, "buy", 30)
    game.next_day(values())
    game.next_day(values())
    assert {row.player_id for row in game.rows(schema.dividends)} == {ann}


@given(
    st.integers(0, 10**12),
    st.dictionaries(
        st.tuples(st.text("ab", min_size=1), st.text("xy", min_size=1)),
        st.integers(1, 10**12),
        min_size=1,
        max_size=50,
    ),
)
def test_a_pool_is_split_to_the_last_unit(
    pool: int, weights: dict[tuple[str, str], int]
) -> None:
    parts = split(pool, weights)
    assert sum(parts.values()) == pool
    total = sum(weights.values())
    for key, part in parts.items():
        assert abs(part * total - pool * weights[key]) < total


def test_net_worth_return_and_board_follow_the_prices(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 30)
    game.next_day(values(110))
    days = {row.player_id: row for row in game.rows(schema.account_days)}
    assert days[bob].worth_units == 200_000_000
    assert (
        days[ann].worth_units == days[ann].cash_units + 30 * game.listing().price_units
    )
    assert (
        days[ann].wealth_index == 1_000_000_000 * days[ann].worth_units // 200_000_000
    )
    rows = game.rows(schema.board_rows, schema.board_rows.c.board == "week")
    board = [row.player_id for row in sorted(rows, key=lambda row: row.rank)]
    assert board == [ann, bob]


def test_a_reset_is_complete_and_allowed_once_in_seven_days(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 30)
    game.order(ann, "buy", 1)

    def reset() -> object:
        return game.once(
            ann,
            {"operation": "reset", "at": str(game.now)},
            lambda d: players.reset(d, game.clock, game.settings),
        ).body

    assert reset() == {"player_id": ann, "life": 2, "cash_units": 200_000_000}
    assert game.shares(ann) == 0
    assert game.rows(schema.orders)[0].state == "cancelled"
    assert game.player(ann).life_index == 1_000_000_000
    assert game.player(ann).wealth_index < 1_000_000_000
    game.wait(days=6, hours=23)
    assert reset()["code"] == "reset_too_soon"  # type: ignore[index]
    game.wait(hours=1)
    assert reset()["life"] == 3  # type: ignore[index]
    assert game.violations() == []


def test_leaving_takes_the_name_at_once_and_sells_at_the_close(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 30)
    game.close()
    game.once(ann, {"operation": "leave"}, lambda d: players.leave(d, game.clock))
    gone = game.player(ann)
    assert (gone.account_id, gone.player_name, gone.listener_id) == (None, None, None)
    with pytest.raises(Refusal, match="unknown_player"):
        game.order(ann, "buy", 1)
    game.settle()
    assert game.player(ann).cash_units == 0
    assert game.listing().net_shares == 0
    assert game.violations() == []
    assert game.join("ann") != ann


def test_a_change_of_the_past_breaks_the_chain(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 3)
    game.next_day()
    with game.database.read() as connection:
        assert ledger.verify_chain(connection) == []
    _without_triggers(
        game,
        update(schema.transactions).values(kind="tampered"),
    )
    with game.database.read() as connection:
        assert "was changed after its close" in ledger.verify_chain(connection)[0]


def test_books_that_do_not_add_up_stop_the_settlement(game: Game) -> None:
    ann = game.join("ann")
    with game.database.write() as connection:
        connection.execute(
            update(schema.players)
            .where(schema.players.c.player_id == ann)
            .values(cash_units=200_000_001)
        )
    assert game.violations() == [
        f"player:{ann} keeps 200000001 of cash but the postings say 200000000"
    ]
    game.close()
    with pytest.raises(Refusal, match="violated"):
        game.settle()


def test_a_halted_market_waits_for_a_person(game: Game) -> None:
    ann = game.join("ann")
    game.database.run(lambda c: market.halt(c, game.clock, "eve", "looks odd"))
    with pytest.raises(Refusal, match="market_halted"):
        game.quote(ann, "buy", 1)
    game.close()
    assert not game.open()
    with pytest.raises(Refusal, match="market_halted"):
        game.settle()
    game.database.run(lambda c: market.reopen(c, game.clock, "eve", "it was nothing"))
    assert game.quote(ann, "buy", 1)["shares"] == 1


def test_seasons_turn_after_four_weeks_and_leagues_move(game: Game) -> None:
    names = [game.join(f"p{n}") for n in range(10)]
    for player in names[:3]:
        game.trade(player, "buy", 30)
    days = 0
    while not game.rows(schema.season_results):
        days += 1
        game.next_day(values(100 + days))
    assert days in (26, 27)
    results = {r.player_id: r for r in game.rows(schema.season_results)}
    assert {p for p, r in results.items() if r.movement == "promoted"} <= set(names[:3])
    assert sum(r.movement == "promoted" for r in results.values()) == 2
    assert {t.trophy for t in game.rows(schema.trophies)} >= {
        "first_trade",
        "season_won",
        "promoted",
    }
    assert [s.season for s in game.rows(schema.seasons)] == [1, 2]
    assert game.player(names[0]).league_tier in (0, 1)


def test_who_held_a_number_one_before_it_was_one_wins_a_trophy(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 3)
    game.next_day()
    game.trade(bob, "buy", 3)
    game.close()
    game.settle(new_number_ones=frozenset({artist("Low")}))
    won = schema.trophies.c
    winners = game.rows(schema.trophies, won.trophy == "before_number_one")
    assert [(row.player_id, row.artist_id) for row in winners] == [(ann, artist("Low"))]


def _without_triggers(game: Game, statement: object) -> None:
    """Change history as somebody with the database's password could."""
    with game.database.write() as connection:
        if game.database.is_sqlite:
            connection.exec_driver_sql("drop trigger transactions_no_update")
        else:
            connection.exec_driver_sql(
                "alter table exchange.transactions disable trigger all"
            )
        connection.execute(statement)  # type: ignore[call-overload]
