"""The close of a day: once, in order, whole, and to the last unit."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, select, update
from sqlalchemy.exc import DBAPIError

from exchange import (
    auction,
    ledger,
    market,
    orders,
    players,
    pricing,
    schema,
    settlement,
)
from exchange.clock import utc_now
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
    game.order(bob, "buy", 20)
    game.next_day()
    baseline = game.listing().baseline_micros
    game.order(ann, "buy", 10)
    game.order(bob, "sell", 4)
    own = game.holding(bob).basis_nanos
    game.next_day(values(105))
    trades = game.rows(schema.trades, schema.trades.c.session == 3)
    assert {(t.player_id, t.side, t.shares) for t in trades} == {
        (ann, "buy", 10),
        (bob, "sell", 4),
    }
    exact = pricing.mean_price(1_050_000, 4000, 20_000_000 - baseline, 6)
    by_side = {t.side: t.value_units for t in trades}
    assert by_side["buy"] == pricing.ceiling(exact * 10)
    most = pricing.basis_value(1_050_000, own, 4, 20)
    assert by_side["sell"] == min(pricing.floor(exact * 4), most)
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


def test_an_order_sets_aside_what_it_may_need_or_is_refused(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"holding_limit_pct": 200})
    ann = game.join("ann")
    # 10 % above the price, and the fee of 1 %: 180 shares are 19,998 credits.
    assert game.order(ann, "buy", 181).body["code"] == "insufficient_funds"
    reserved = game.order(ann, "buy", 180).body["reserved_units"]
    assert reserved == 180 * 1_100_000 * 101 // 100
    assert game.player(ann).reserved_units == reserved
    assert game.order(ann, "buy", 1).body["code"] == "insufficient_funds"
    with pytest.raises(Refusal, match="set aside"):
        game.quote(ann, "buy", 1)
    order_id = game.rows(schema.orders)[0].order_id
    game.once(ann, {}, lambda d: orders.cancel(d, game.clock, order_id))
    assert game.player(ann).reserved_units == 0
    assert game.quote(ann, "buy", 1)["shares"] == 1


def test_shares_in_an_order_cannot_be_sold_twice(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "sell", 7)
    with pytest.raises(Refusal, match="7 of them in orders"):
        game.quote(ann, "sell", 4)
    assert game.order(ann, "sell", 4).body["code"] == "insufficient_shares"
    game.trade(ann, "sell", 3)
    game.next_day()
    assert game.shares(ann) == 0
    assert game.rows(schema.orders)[0].filled_shares == 7


def test_an_order_is_refused_beyond_a_fifth_of_net_worth(game: Game) -> None:
    ann = game.join("ann")
    assert game.order(ann, "buy", 30).status == 200
    # With the order that waits it would be 41.
    assert game.order(ann, "buy", 11).body["limit"] == "holding"
    assert game.order(ann, "buy", 10).status == 200


def test_an_order_without_a_limit_buys_up_to_ten_percent_above(game: Game) -> None:
    ann = game.join("ann")
    game.order(ann, "buy", 10)
    game.order(ann, "buy", 10, name="Can")
    dearer = tuple(
        replace(one, fundamental_price_units=1_110_000)
        if one.artist_name == "Can"
        else one
        for one in values(109)
    )
    game.next_day(dearer)
    states = {order.artist_id: order.state for order in game.rows(schema.orders)}
    assert states == {artist("Low"): "filled", artist("Can"): "unfilled"}
    assert game.player(ann).reserved_units == 0


def test_a_seller_gets_no_more_than_was_paid_at_a_constant_price(game: Game) -> None:
    """Not even from purchases that others, or the seller's friends, bring along."""
    ann, bob = game.join("ann"), game.join("bob")
    paid = game.trade(ann, "buy", 30).body["value_units"]
    game.order(ann, "sell", 30)
    game.order(bob, "buy", 38)
    game.next_day()
    sold, bought = (
        next(t for t in game.rows(schema.trades) if (t.kind, t.side) == ("open", side))
        for side in ("sell", "buy")
    )
    assert sold.value_units <= paid
    # The control: at the uniform price alone it would have been a gain.
    assert bought.price_units * 30 > paid + 5_000


def test_a_sale_that_cannot_bring_its_limit_is_not_done(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 30)
    game.order(ann, "sell", 30, limit=1_005_000)
    game.order(bob, "buy", 38)
    game.next_day()
    sale = next(o for o in game.rows(schema.orders) if o.side == "sell")
    assert (sale.state, sale.reason) == ("unfilled", "limit_price")
    assert game.holding(ann).reserved_shares == 0


def test_what_was_bought_now_bears_a_fall_and_has_no_part_in_a_rise(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    paid = game.trade(ann, "buy", 30).body["value_units"]
    game.order(bob, "buy", 30)
    game.next_day(values(108))
    holding = game.holding(ann)
    assert holding.basis_nanos == paid * 1000 * 100 // 108
    assert holding.session_basis_nanos == 0
    # Bought at the open, at the new price: worth what was paid, too.
    assert game.holding(bob).basis_nanos // 10**9 == 30
    assert game.quote(ann, "sell", 30)["value_units"] in (paid - 1, paid)
    game.next_day(values(119))
    assert game.quote(ann, "sell", 30)["value_units"] > paid * 109 // 100
    game.trade(bob, "buy", 5, "Can")
    before = game.holding(bob, "Can").basis_nanos
    game.next_day(values(110))
    assert game.holding(bob, "Can").basis_nanos == before
    assert game.violations() == []


def test_a_rise_waits_for_an_artist_that_has_no_value_today(game: Game) -> None:
    ann = game.join("ann")
    paid = game.trade(ann, "buy", 30).body["value_units"]
    game.next_day(tuple(v for v in values() if v.artist_name != "Low"))
    assert game.holding(ann).session_basis_nanos > 0
    game.next_day(values(125))
    assert game.quote(ann, "sell", 30)["value_units"] in (paid - 1, paid)


def test_orders_cost_the_same_each_however_many_there_are(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in statements and in prices; a search for who can pay was quadratic."""
    counts = {"price": 0, "sql": 0}
    price = auction.Curve.price

    def counted(curve: auction.Curve, net: int) -> Decimal:
        counts["price"] += 1
        return price(curve, net)

    def sent(*_: object) -> None:
        counts["sql"] += 1

    monkeypatch.setattr(auction.Curve, "price", counted)
    event.listen(game.database.engine, "before_cursor_execute", sent)
    rules = SETTINGS.model_copy(
        update={"max_queued_orders": 1000, "holding_limit_pct": 10**4}
    )
    game.settings = rules
    ann = game.join("ann")
    seen = []
    for orders_made in (20, 80):
        for _ in range(orders_made):
            assert game.order(ann, "buy", 1, limit=10_000).status == 200
        counts.update(price=0, sql=0)
        game.next_day()
        seen.append(dict(counts))
    assert seen[1]["price"] <= seen[0]["price"] + 4
    assert seen[1]["sql"] <= seen[0]["sql"] + 10


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


@pytest.mark.parametrize(
    ("price", "paid_for_ten"), [(70, 10_000_000), (130, 10_012_507)]
)
def test_a_delisted_artist_is_sold_back_at_the_least_of_three_prices(
    game: Game, price: int, paid_for_ten: int
) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.order(ann, "buy", 5)
    cash = game.player(ann).cash_units
    game.trade(ann, "buy", 5, "Can")
    gone = tuple(
        replace(v, is_listed=False) if v.artist_name == "Low" else v
        for v in values(price)
    )
    spent = cash - game.player(ann).cash_units
    game.next_day(gone)
    assert game.shares(ann) == 0
    # Pushed above its fundamental price by the buyer alone: paid at that price.
    assert game.player(ann).cash_units == cash - spent + 10 * 1_000_000
    assert game.player(ann).reserved_units == 0
    assert game.rows(schema.orders)[0].reason == "delisted"
    with pytest.raises(Refusal, match="artist_not_listed"):
        game.quote(ann, "buy", 1)
    game.next_day(values(80))
    assert game.quote(ann, "buy", 1)["value_units"] in range(800_000, 801_000)


def test_a_delisted_artist_pays_nobody_more_than_the_basis(game: Game) -> None:
    """Bought below the fundamental price, after a dump: the basis is less than one."""
    game.settings = SETTINGS.model_copy(update={"holding_limit_pct": 100})
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 190)
    for _ in range(20):
        game.next_day()
    game.trade(ann, "sell", 190)
    cheap = game.trade(bob, "buy", 30).body
    assert cheap["value_units"] < 29 * 1_000_000
    for _ in range(20):
        game.next_day()
    assert game.listing().price_units > 995_000
    cash = game.player(bob).cash_units
    game.next_day(
        tuple(
            replace(v, is_listed=False) if v.artist_name == "Low" else v
            for v in values()
        )
    )
    assert cheap["value_units"] - 1 <= game.player(bob).cash_units - cash
    assert game.player(bob).cash_units - cash <= cheap["value_units"]


def test_an_artist_without_a_value_is_halted_not_sold(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.next_day(tuple(v for v in values() if v.artist_name != "Low"))
    assert game.shares(ann) == 10
    assert game.listing().is_halted


def test_dividends_go_by_value_and_no_further_than_the_rate(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"dividend_rate_ppm": 10**6})
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 30)
    game.trade(bob, "buy", 7, "Can")
    game.next_day()
    # Can costs the double now; its holder gets as much for a share as for two of Low.
    surprise = tuple(
        replace(v, fundamental_price_units=2_000_000, surprise_milli=1500)
        if v.artist_name == "Can"
        else replace(v, surprise_milli=1500)
        for v in values()
    )
    game.next_day(surprise)
    fees = game.trade(ann, "buy", 3, "Neu!").body["fee_units"]
    settled = game.next_day(surprise)
    paid = game.rows(schema.dividends)
    # The fees of that session, to the last unit; those of the first went to nobody.
    assert settled.dividends_units == sum(row.amount_units for row in paid) == fees
    assert {row.player_id: row.weight for row in paid} == {
        ann: 30 * 1_500_000,
        bob: 7 * 3_000_000,
    }
    assert all(game.listing(name).fees_units == 0 for name in NAMES)
    assert game.violations() == []
    # The rate: 0.05 % of the value for each deviation, however much the fees are.
    game.settings = SETTINGS
    game.trade(ann, "buy", 30, "Neu!")
    settled = game.next_day(values())
    assert settled.dividends_units == (30 * 1_500_000 + 7 * 3_000_000 // 2) // 2000
    last = game.rows(schema.settlements)[-1]
    assert last.carried_units == last.pool_units - last.dividends_units > 0
    assert all(game.listing(name).fees_units == 0 for name in NAMES)


def test_who_bought_after_the_close_before_a_surprise_gets_no_dividend(
    game: Game,
) -> None:
    ann, bob, cyd = game.join("ann"), game.join("bob"), game.join("cyd")
    game.trade(ann, "buy", 10)
    game.next_day()
    # Bob reads the live counters of the day that will surprise; so does an order.
    game.trade(bob, "buy", 30)
    game.order(cyd, "buy", 10)
    game.next_day(values(surprise_milli=1500))
    game.trade(ann, "buy", 5, "Can")
    game.next_day()
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
    game.order(ann, "buy", 30)
    game.next_day()
    game.next_day(values(110))
    first, last = (
        {
            row.player_id: row
            for row in game.rows(schema.account_days)
            if row.season == 1 and row.account_date == game.day - timedelta(days=back)
        }
        for back in (1, 0)
    )
    assert last[bob].worth_units == 200_000_000
    # At its own price: what was paid for, at the price of today.
    basis = game.holding(ann).basis_nanos
    worth = last[ann].cash_units + min(
        basis * 1_100_000 // 10**9, 30 * game.listing().price_units
    )
    assert last[ann].worth_units == worth
    index = 1_000_000_000 * first[ann].worth_units // 200_000_000
    assert last[ann].wealth_index == index * worth // first[ann].worth_units
    rows = game.rows(schema.board_rows, schema.board_rows.c.board == "week")
    board = [row.player_id for row in sorted(rows, key=lambda row: row.rank)]
    assert board == [ann, bob]


def test_a_pushed_price_makes_nobody_rich_on_the_boards(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 30)
    game.trade(bob, "buy", 38)
    game.next_day()
    days = {row.player_id: row for row in game.rows(schema.account_days)}
    assert days[ann].worth_units < 200_000_000
    # The control: shares times the price on the board would be a gain.
    shown = game.player(ann).cash_units + 30 * game.listing().price_units
    assert shown > days[ann].worth_units + 100_000


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


def leave(game: Game, player: str) -> None:
    game.once(player, {"operation": "leave"}, lambda d: players.leave(d, game.clock))


@pytest.mark.parametrize("is_open", [True, False])
def test_leaving_takes_the_name_and_sells_at_once_or_with_the_close(
    game: Game, *, is_open: bool
) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 30)
    game.order(ann, "sell", 5)
    if not is_open:
        game.close()
    leave(game, ann)
    gone = game.player(ann)
    assert (gone.account_id, gone.player_name, gone.listener_id) == (None, None, None)
    assert (gone.cash_units == 0) is is_open
    with pytest.raises(Refusal, match="unknown_player"):
        game.order(ann, "buy", 1)
    if is_open:
        game.close()
    game.settle()
    assert game.player(ann).cash_units == 0
    assert game.listing().net_shares == 0
    assert game.violations() == []


def test_who_leaves_gets_no_fresh_money_for_seven_days(game: Game) -> None:
    ann = game.join("ann")
    leave(game, ann)
    game.wait(days=6, hours=23)
    with pytest.raises(Refusal, match="rejoin_too_soon"):
        game.join("ann")
    assert game.join("bob")
    game.wait(hours=1)
    assert game.join("ann") != ann
    # What was kept of the first leaving is gone, and it was no name.
    assert game.rows(schema.departures) == []


def test_leaving_and_rejoining_mints_nothing(game: Game) -> None:
    """Who comes back after a week has what everybody starts with, no more."""
    helper, ann = game.join("helper"), game.join("ann")
    game.trade(helper, "buy", 30)
    game.trade(ann, "buy", 38)
    leave(game, ann)
    before = game.player(helper).cash_units
    # The control: what the curve would have paid after the leaver's sale, or before.
    assert game.listing().net_shares == 30
    game.trade(helper, "sell", 30)
    assert game.player(helper).cash_units < 200_000_000
    assert game.player(helper).cash_units - before < 30 * 1_010_000
    assert game.player(ann).cash_units == 0


def test_joining_needs_an_account_of_thirty_days_and_two_hundred_plays(
    game: Game,
) -> None:
    def join(days: int | None, scrobbles: int | None) -> str:
        born = None if days is None else game.now.date() - timedelta(days=days)
        standing = players.Standing(born, scrobbles)
        return game.database.run(
            lambda c: players.join(
                c, game.clock, game.settings, "@ann", "ann", standing=standing
            )
        )

    for days, scrobbles in ((29, 500), (30, 199), (29, None), (None, 199)):
        with pytest.raises(Refusal, match="account_too_new"):
            join(days, scrobbles)
    player = join(30, 200)
    # Who plays already goes on, whatever last.fm says now.
    assert join(0, 0) == player


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


def test_a_close_forgets_answers_that_no_client_asks_for_again(game: Game) -> None:
    ann = game.join("ann")
    now = game.clock()
    ages = {"old": now - timedelta(days=40), "kept": now, "of today": utc_now()}
    row = {"player_id": ann, "body_hash": "x", "status": 200, "body": "{}"}
    with game.database.write() as connection:
        for key, answered_at in ages.items():
            connection.execute(
                insert(schema.answers),
                {**row, "idempotency_key": key, "answered_at": answered_at},
            )
    game.close()
    game.settle()
    assert {one.idempotency_key for one in game.rows(schema.answers)} >= {
        "kept",
        "of today",
    }
    assert "old" not in {one.idempotency_key for one in game.rows(schema.answers)}
    # The control: the tables let no younger one go, whoever asks.
    with pytest.raises(DBAPIError, match="append-only"), game.database.write() as asked:
        asked.execute(
            delete(schema.answers).where(schema.answers.c.idempotency_key == "of today")
        )
