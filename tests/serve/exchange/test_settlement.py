"""The close of a day: once, in order, whole, and to the last unit."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from serve.exchange import ledger, market, players, pricing, schema, settlement
from serve.exchange.errors import Refusal
from serve.exchange.settlement import SettlementInputs, split
from tests.serve.exchange.world import FIRST_DAY, NAMES, World, artist, values


def test_a_day_is_settled_once(world: World) -> None:
    world.close()
    again = world.database.run(
        lambda c: settlement.settle(
            c,
            world.clock,
            world.settings,
            SettlementInputs(FIRST_DAY, "other", world.now, values(50)),
        )
    )
    assert again.is_repeat
    assert world.listing().fundamental_price_units == 1_000_000


def test_days_are_settled_in_order(world: World) -> None:
    world.close()
    late = SettlementInputs(FIRST_DAY + timedelta(days=2), "v", world.now, values())
    with pytest.raises(Refusal, match="wrong_order"):
        world.database.run(
            lambda c: settlement.settle(c, world.clock, world.settings, late)
        )


def test_an_open_market_cannot_be_settled(world: World) -> None:
    with pytest.raises(Refusal, match="close the market"):
        world.settle()


def test_a_run_that_was_overtaken_can_neither_close_settle_nor_open(
    world: World,
) -> None:
    world.close(fence=7)
    for action in (
        lambda: world.close(fence=6),
        lambda: world.settle(fence=6),
        lambda: world.open(fence=6),
    ):
        with pytest.raises(Refusal, match="superseded"):
            action()
    world.settle(fence=7)
    assert world.open(fence=7)


def test_five_settlements_at_once_settle_once(world: World) -> None:
    world.close()
    day = FIRST_DAY + timedelta(days=1)
    inputs = SettlementInputs(day, "v2", world.now, values(110))
    settled: list[settlement.Settled] = []

    def settle() -> None:
        settled.append(
            world.database.run(
                lambda c: settlement.settle(c, world.clock, world.settings, inputs)
            )
        )

    threads = [threading.Thread(target=settle) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(s.is_repeat for s in settled) == [False, True, True, True, True]
    assert len(world.rows(schema.settlements)) == 2
    assert len(world.rows(schema.checkpoints)) == 2


@pytest.mark.parametrize(
    "step",
    [
        "take_prices",
        "clear_orders",
        "strike_prices",
        "pay_dividends",
        "write_prices",
        "strike_accounts",
        "write_boards",
        "write_economy",
        "finish",
    ],
)
def test_a_settlement_that_dies_leaves_nothing_half(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 10)
    world.order(ann, "buy", 5)
    world.close()
    with world.database.read() as connection:
        before = {
            table.name: connection.execute(
                select(table).order_by(*table.primary_key)
            ).all()
            for table in schema.metadata.sorted_tables
        }
    original = getattr(settlement._Close, step)

    def dies(self: settlement._Close, *arguments: object) -> None:
        original(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(settlement._Close, step, dies)
        with pytest.raises(KeyboardInterrupt):
            world.settle(values(120))
    with world.database.read() as connection:
        for table in schema.metadata.sorted_tables:
            after = connection.execute(select(table).order_by(*table.primary_key)).all()
            assert after == before[table.name], table.name
    assert world.settle(values(120)).outcome == "settled"


def test_orders_clear_at_the_new_price_and_at_one_price(world: World) -> None:
    ann, bob = world.join("ann"), world.join("bob")
    world.trade(bob, "buy", 20)
    world.order(ann, "buy", 10)
    world.order(bob, "sell", 4)
    world.next_day(values(120))
    trades = world.rows(schema.trades, schema.trades.c.kind == "open")
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


def test_an_order_beyond_its_limit_is_not_filled(world: World) -> None:
    ann = world.join("ann")
    world.order(ann, "buy", 10, limit=1_100_000)
    world.order(ann, "buy", 5, limit=1_300_000)
    world.next_day(values(120))
    states = {
        order.shares: (order.state, order.reason) for order in world.rows(schema.orders)
    }
    assert states == {10: ("unfilled", "limit_price"), 5: ("filled", None)}
    assert world.shares(ann) == 5


def test_an_order_nobody_can_pay_is_filled_as_far_as_it_can_be(world: World) -> None:
    world.settings = type(world.settings)(novice_days=0, holding_limit_pct=200)
    ann = world.join("ann")
    world.order(ann, "buy", 1000)
    world.next_day()
    order = world.rows(schema.orders)[0]
    assert (order.state, order.reason) == ("part_filled", "insufficient_funds")
    assert order.filled_shares == 193
    assert 0 <= world.player(ann).cash_units < 2_000_000


def test_an_order_stops_at_a_fifth_of_net_worth(world: World) -> None:
    ann = world.join("ann")
    world.order(ann, "buy", 150)
    world.next_day()
    order = world.rows(schema.orders)[0]
    assert (order.state, order.reason) == ("part_filled", "limit_reached")
    assert 38 <= order.filled_shares <= 40


def test_an_order_to_sell_what_has_been_sold_is_cut(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 10)
    world.order(ann, "sell", 10)
    world.trade(ann, "sell", 7)
    world.next_day()
    order = world.rows(schema.orders)[0]
    assert (order.filled_shares, order.reason) == (3, "insufficient_shares")


def test_orders_of_a_halted_artist_wait_and_its_price_is_not_clipped(
    world: World,
) -> None:
    ann = world.join("ann")
    world.order(ann, "buy", 10)
    world.next_day(values(900, is_halted=True, halt_reason="z is 9"))
    assert world.rows(schema.orders)[0].state == "queued"
    assert world.listing().price_units == 9_000_000
    with pytest.raises(Refusal, match="artist_halted"):
        world.quote(ann, "buy", 1)
    world.next_day(values(900))
    assert world.rows(schema.orders)[0].state != "queued"


def test_a_rolled_day_keeps_prices_and_orders_and_still_counts(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 10)
    world.order(ann, "buy", 5)
    before = world.listing()
    world.close()
    settled = world.settle(values(500), is_rolled=True, reason="load incomplete")
    world.open()
    after = world.listing()
    assert settled.outcome == "rolled"
    assert world.rows(schema.orders)[0].state == "queued"
    assert (after.price_units, after.baseline_micros) == (
        before.price_units,
        before.baseline_micros,
    )
    assert len(world.rows(schema.account_days)) == 1
    assert world.rows(schema.market)[0].version == "20240301-000001"


def test_a_delisted_artist_is_sold_back_at_its_last_price(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 10)
    world.order(ann, "buy", 5)
    cash = world.player(ann).cash_units
    gone = tuple(
        v if v.artist_name != "Low" else type(v)(**{**v.__dict__, "is_listed": False})
        for v in values(70)
    )
    world.next_day(gone)
    assert world.shares(ann) == 0
    # Pushed above its fundamental price by the buyer alone: paid at that price.
    assert world.player(ann).cash_units == cash + 10 * 1_000_000
    assert world.rows(schema.orders)[0].reason == "delisted"
    with pytest.raises(Refusal, match="artist_not_listed"):
        world.quote(ann, "buy", 1)
    world.next_day(values(80))
    assert world.quote(ann, "buy", 1)["value_units"] in range(800_000, 801_000)


def test_an_artist_without_a_value_is_halted_not_sold(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 10)
    world.next_day(tuple(v for v in values() if v.artist_name != "Low"))
    assert world.shares(ann) == 10
    assert world.listing().is_halted


def test_dividends_are_the_pool_to_the_last_unit(world: World) -> None:
    ann, bob = world.join("ann"), world.join("bob")
    world.trade(ann, "buy", 30)
    world.trade(bob, "buy", 7, "Can")
    world.next_day(values(surprise_milli=1500))
    world.next_day(values())
    assert world.rows(schema.dividends) == []
    settled = world.next_day(values())
    fees = sum(t.fee_units for t in world.rows(schema.trades))
    # Two days' fees were carried, and the issuance is paid with the first dividend.
    assert settled.dividends_units == fees + 2 * 10_000
    paid = world.rows(schema.dividends)
    assert sum(row.amount_units for row in paid) == settled.dividends_units
    assert {row.player_id: row.weight for row in paid} == {ann: 45_000, bob: 10_500}
    assert all(world.listing(name).fees_units == 0 for name in NAMES)
    assert world.violations() == []


def test_shares_bought_after_the_surprise_was_published_get_no_dividend(
    world: World,
) -> None:
    ann, bob = world.join("ann"), world.join("bob")
    world.trade(ann, "buy", 10)
    world.next_day(values(surprise_milli=1500))
    world.trade(bob, "buy", 30)
    world.next_day(values())
    world.next_day(values())
    assert {row.player_id for row in world.rows(schema.dividends)} == {ann}


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


def test_net_worth_return_and_board_follow_the_prices(world: World) -> None:
    ann, bob = world.join("ann"), world.join("bob")
    world.trade(ann, "buy", 30)
    world.next_day(values(110))
    days = {row.player_id: row for row in world.rows(schema.account_days)}
    assert days[bob].worth_units == 200_000_000
    assert (
        days[ann].worth_units == days[ann].cash_units + 30 * world.listing().price_units
    )
    assert (
        days[ann].wealth_index == 1_000_000_000 * days[ann].worth_units // 200_000_000
    )
    board = [
        row.player_id
        for row in world.rows(schema.board_rows, schema.board_rows.c.board == "week")
    ]
    assert board == [ann, bob]


def test_a_reset_is_complete_and_allowed_once_in_seven_days(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 30)
    world.order(ann, "buy", 1)

    def reset() -> object:
        return world.once(
            ann,
            {"operation": "reset", "at": str(world.now)},
            lambda d: players.reset(d, world.clock, world.settings),
        ).body

    assert reset() == {"player_id": ann, "life": 2, "cash_units": 200_000_000}
    assert world.shares(ann) == 0
    assert world.rows(schema.orders)[0].state == "cancelled"
    assert world.player(ann).life_index == 1_000_000_000
    assert world.player(ann).wealth_index < 1_000_000_000
    world.wait(days=6, hours=23)
    assert reset()["code"] == "reset_too_soon"  # type: ignore[index]
    world.wait(hours=1)
    assert reset()["life"] == 3  # type: ignore[index]
    assert world.violations() == []


def test_leaving_takes_the_name_at_once_and_sells_at_the_close(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 30)
    world.close()
    world.once(ann, {"operation": "leave"}, lambda d: players.leave(d, world.clock))
    gone = world.player(ann)
    assert (gone.account_id, gone.player_name, gone.listener_id) == (None, None, None)
    with pytest.raises(Refusal, match="unknown_player"):
        world.order(ann, "buy", 1)
    world.settle()
    assert world.player(ann).cash_units == 0
    assert world.listing().net_shares == 0
    assert world.violations() == []
    assert world.join("ann") != ann


def test_a_change_of_the_past_breaks_the_chain(world: World) -> None:
    ann = world.join("ann")
    world.trade(ann, "buy", 3)
    world.next_day()
    with world.database.read() as connection:
        assert ledger.verify_chain(connection) == []
    _without_triggers(
        world,
        update(schema.transactions).values(kind="tampered"),
    )
    with world.database.read() as connection:
        assert "was changed after its close" in ledger.verify_chain(connection)[0]


def test_books_that_do_not_add_up_stop_the_settlement(world: World) -> None:
    ann = world.join("ann")
    with world.database.write() as connection:
        connection.execute(
            update(schema.players)
            .where(schema.players.c.player_id == ann)
            .values(cash_units=200_000_001)
        )
    assert world.violations() == [
        f"player:{ann} keeps 200000001 of cash but the postings say 200000000"
    ]
    world.close()
    with pytest.raises(Refusal, match="violated"):
        world.settle()


def test_a_halted_market_waits_for_a_person(world: World) -> None:
    ann = world.join("ann")
    world.database.run(lambda c: market.halt(c, world.clock, "eve", "looks odd"))
    with pytest.raises(Refusal, match="market_halted"):
        world.quote(ann, "buy", 1)
    world.close()
    assert not world.open()
    with pytest.raises(Refusal, match="market_halted"):
        world.settle()
    world.database.run(lambda c: market.reopen(c, world.clock, "eve", "it was nothing"))
    assert world.quote(ann, "buy", 1)["shares"] == 1


def test_seasons_turn_after_four_weeks_and_leagues_move(world: World) -> None:
    names = [world.join(f"p{n}") for n in range(10)]
    for player in names[:3]:
        world.trade(player, "buy", 30)
    days = 0
    while not world.rows(schema.season_results):
        days += 1
        world.next_day(values(100 + days))
    assert days in (26, 27)
    results = {r.player_id: r for r in world.rows(schema.season_results)}
    assert {p for p, r in results.items() if r.movement == "promoted"} <= set(names[:3])
    assert sum(r.movement == "promoted" for r in results.values()) == 2
    assert {t.trophy for t in world.rows(schema.trophies)} >= {
        "first_trade",
        "season_won",
        "promoted",
    }
    assert [s.season for s in world.rows(schema.seasons)] == [1, 2]
    assert world.player(names[0]).league_tier in (0, 1)


def test_who_held_a_number_one_before_it_was_one_wins_a_trophy(world: World) -> None:
    ann, bob = world.join("ann"), world.join("bob")
    world.trade(ann, "buy", 3)
    world.next_day()
    world.trade(bob, "buy", 3)
    world.close()
    world.settle(new_number_ones=frozenset({artist("Low")}))
    won = schema.trophies.c
    winners = world.rows(schema.trophies, won.trophy == "before_number_one")
    assert [(row.player_id, row.artist_id) for row in winners] == [(ann, artist("Low"))]


def _without_triggers(world: World, statement: object) -> None:
    """Change history as somebody with the database's password could."""
    with world.database.write() as connection:
        if world.database.is_sqlite:
            connection.exec_driver_sql("drop trigger transactions_no_update")
        else:
            connection.exec_driver_sql(
                "alter table exchange.transactions disable trigger all"
            )
        connection.execute(statement)  # type: ignore[call-overload]
