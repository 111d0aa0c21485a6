"""Random play against a model that knows nothing of databases, and its mutants.

The model is a few dictionaries and one formula. After every step the database and the
model must agree to the unit, and the books must add up. The mutants break the exchange
on purpose; the machine must notice each of them, or it proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from exchange import ledger, market, player_request, pricing, quotes, schema, trading
from exchange.database import Database
from exchange.errors import Refusal
from exchange.prepared import Prepared
from tests.exchange.game import NAMES, SETTINGS, Game, artist, values

DIGITS = Context(prec=60)
RULES = SETTINGS.model_copy(update={"holding_limit_pct": 100, "staleness_z_milli": 0})
PLAYERS = ("ann", "bob", "cyd")


class Model:
    """What should be: cash, shares and the curve, in plain numbers."""

    def __init__(self) -> None:
        self.cash: dict[str, int] = {}
        self.held: dict[tuple[str, str], int] = {}
        self.net = dict.fromkeys(NAMES, 0)
        self.house = dict.fromkeys(NAMES, 0)
        self.fees = dict.fromkeys(NAMES, 0)
        self.baseline: dict[str, Decimal] = dict.fromkeys(NAMES, Decimal(0))
        self.is_open = True
        self.closes = 0
        self.used: set[str] = set()
        self.answers: dict[tuple[str, str], Any] = {}

    def value(self, name: str, side: str, shares: int) -> int:
        """C(Q) at F = 100 credits and b = 4,000 shares, against the player."""
        depth, price = Decimal(4000), Decimal(1_000_000)
        u = self.net[name] - self.baseline[name]
        signed = shares if side == "buy" else -shares
        after = DIGITS.exp((u + signed) / depth)
        cost = DIGITS.multiply(price * depth, after - DIGITS.exp(u / depth))
        if side == "buy":
            return int(cost.to_integral_value(rounding="ROUND_CEILING"))
        return int((-cost).to_integral_value(rounding="ROUND_FLOOR"))

    def trade(self, who: str, name: str, side: str, shares: int, value: int) -> None:
        fee = -(-value // 100)
        sign = 1 if side == "buy" else -1
        self.cash[who] -= sign * value + fee
        self.held[who, name] = self.held.get((who, name), 0) + sign * shares
        self.net[name] += sign * shares
        self.house[name] += sign * value
        self.fees[name] += fee


class Exchange(RuleBasedStateMachine):
    """Three players, five artists, and every way of going wrong."""

    new_database: ClassVar[Callable[[], str]]

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(self.new_database(), sync="OFF")
        self.game = Game(self.database, RULES).opened()
        self.model = Model()
        self.ids = {name: self.game.join(name) for name in PLAYERS}
        self.model.cash = dict.fromkeys(PLAYERS, RULES.starting_cash_units)
        self.quotes: list[tuple[str, str, str, int, dict[str, Any], int]] = []
        self.sent: list[tuple[str, str, dict[str, Any], player_request.Answer]] = []

    def teardown(self) -> None:
        self.database.dispose()

    @initialize(n=st.integers(1, 30))
    def somebody_owns_something(self, n: int) -> None:
        self.buy_or_sell("ann", "Low", "buy", n)

    @precondition(lambda self: self.model.is_open)
    @rule(
        who=st.sampled_from(PLAYERS),
        name=st.sampled_from(NAMES[:2]),
        side=st.sampled_from(("buy", "sell")),
        shares=st.integers(1, 150),
    )
    def ask(self, who: str, name: str, side: str, shares: int) -> None:
        expected = self.model.value(name, side, shares)
        fee = -(-expected // 100)
        can_pay = side == "sell" or self.model.cash[who] >= expected + fee
        owns = side == "buy" or self.model.held.get((who, name), 0) >= shares
        try:
            quote = self.game.quote(self.ids[who], side, shares, name)
        except Refusal as refusal:
            assert refusal.code in (
                "insufficient_funds",
                "insufficient_shares",
                "limit_reached",
            )
            if refusal.code == "insufficient_funds":
                assert not can_pay
            if refusal.code == "insufficient_shares":
                assert not owns
            return
        assert can_pay and owns
        assert (quote["value_units"], quote["fee_units"]) == (expected, fee)
        self.quotes.append((who, name, side, shares, quote, self.model.closes))

    @rule(
        who=st.sampled_from(PLAYERS),
        name=st.sampled_from(NAMES[:2]),
        side=st.sampled_from(("buy", "sell")),
        shares=st.integers(1, 150),
    )
    def buy_or_sell(self, who: str, name: str, side: str, shares: int) -> None:
        if not self.model.is_open:
            return
        before = len(self.quotes)
        self.ask(who, name, side, shares)
        if len(self.quotes) > before:
            self.use(-1)

    @precondition(lambda self: bool(self.quotes))
    @rule(n=st.integers(0, 50))
    def use(self, n: int) -> None:
        """Use any quote ever given: fresh, stale, used, or from before a close."""
        who, name, side, shares, quote, closes = self.quotes[n % len(self.quotes)]
        key = f"{len(self.sent)}"
        now = self.model.value(name, side, shares)
        given = quote["value_units"]
        moved = now > given if side == "buy" else now < given
        try:
            answer = self.game.take(self.ids[who], quote, key)
        except Refusal as refusal:
            if not self.model.is_open:
                assert refusal.code == "market_closed"
            else:
                assert refusal.code == "price_changed" and moved
            return
        self.sent.append((who, key, quote, answer))
        assert self.model.is_open, "traded in a closed market"
        if answer.status != 200:
            code = answer.body["code"]
            if code == "quote_used":
                assert quote["quote"] in self.model.used
            elif code == "quote_expired":
                assert closes != self.model.closes
            else:
                assert code in (
                    "insufficient_funds",
                    "insufficient_shares",
                    "limit_reached",
                )
            return
        assert quote["quote"] not in self.model.used, "a quote was used twice"
        assert closes == self.model.closes, "a quote outlived a close"
        self.model.used.add(quote["quote"])
        self.model.trade(who, name, side, shares, given)

    @precondition(lambda self: self.model.is_open and bool(self.model.used))
    @rule(n=st.integers(0, 50))
    def go_back_and_use_again(self, n: int) -> None:
        """Undo what a quote did, so that its price is right again, and replay it."""
        used = [
            place
            for place, one in enumerate(self.quotes)
            if one[4]["quote"] in self.model.used
        ]
        who, name, side, shares, _, _ = self.quotes[used[n % len(used)]]
        self.buy_or_sell(who, name, "sell" if side == "buy" else "buy", shares)
        self.use(used[n % len(used)])

    @precondition(lambda self: self.model.is_open)
    @rule(shares=st.integers(1, 20))
    def keep_a_quote_over_a_close(self, shares: int) -> None:
        before = len(self.quotes)
        self.ask("bob", "Low", "buy", shares)
        self.close()
        self.open(settle=False)
        if len(self.quotes) > before:
            self.use(-1)

    @precondition(lambda self: bool(self.quotes) and self.model.is_open)
    @rule(n=st.integers(0, 50), who=st.sampled_from(PLAYERS), other=st.booleans())
    def misuse(self, n: int, who: str, other: bool) -> None:
        """A quote for the other side, or in other hands."""
        owner, _, side, _, quote, _ = self.quotes[n % len(self.quotes)]
        turned = {"side": "sell" if side == "buy" else "buy"} if other else {}
        if not turned and who == owner:
            return
        user = owner if other else who
        answer = self.game.take(self.ids[user], quote, f"m{len(self.sent)}", **turned)
        self.sent.append((user, f"m{len(self.sent)}", {}, answer))
        assert answer.body.get("code") == "quote_mismatch"

    @precondition(lambda self: any(quote for _, _, quote, _ in self.sent))
    @rule(n=st.integers(0, 50), change=st.booleans())
    def send_again(self, n: int, change: bool) -> None:
        """A client that never heard the answer sends the same again."""
        usable = [one for one in self.sent if one[2]]
        who, key, quote, first = usable[n % len(usable)]
        changes = {"shares": quote["shares"] + 1} if change else {}
        try:
            again = self.game.take(self.ids[who], quote, key, **changes)
        except Refusal as refusal:
            assert change and refusal.code == "idempotency_key_reused"
            return
        assert not change
        assert (again.status, again.body) == (first.status, first.body)

    @precondition(lambda self: self.model.is_open)
    @rule()
    def close(self) -> None:
        self.game.close()
        self.model.is_open = False
        self.model.closes += 1

    @precondition(lambda self: not self.model.is_open)
    @rule(settle=st.booleans())
    def open(self, settle: bool) -> None:
        if settle:
            self.game.settle(values())
            self._settle_model()
        self.game.open()
        self.model.is_open = True

    def _settle_model(self) -> None:
        """The baseline comes nearer by 1 − 2^(−1/5), kept in millionths."""
        kept = DIGITS.power(Decimal(2), DIGITS.divide(Decimal(-1), Decimal(5)))
        for name in NAMES:
            u = (self.model.net[name] - self.model.baseline[name]) * 1_000_000
            move = DIGITS.multiply(1 - kept, u).to_integral_value()
            self.model.baseline[name] += move / 1_000_000

    @invariant()
    def database_and_model_agree(self) -> None:
        with self.database.read() as connection:
            cash = {
                row.player_id: row.cash_units
                for row in connection.execute(select(schema.players))
            }
            held = {
                (row.player_id, row.artist_id): row.shares
                for row in connection.execute(select(schema.holdings))
            }
            listings = {
                row.artist_name: row
                for row in connection.execute(select(schema.listings))
            }
            assert ledger.violations(connection) == []
        for who, player_id in self.ids.items():
            assert cash[player_id] == self.model.cash[who] >= 0
            for name in NAMES:
                shares = held.get((player_id, artist(name)), 0)
                assert shares == self.model.held.get((who, name), 0) >= 0
        for name, row in listings.items():
            assert row.net_shares == self.model.net[name]
            assert row.house_cash_units == self.model.house[name]
            assert row.fees_units == self.model.fees[name]


def play(new_database: Callable[[], str], examples: int, steps: int = 25) -> None:
    """Run the machine; the same examples every time."""
    machine = type("Machine", (Exchange,), {"new_database": staticmethod(new_database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=False,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_play_agrees_with_the_model(new_database: Callable[[], str]) -> None:
    play(new_database, 20)


@pytest.mark.chaos
def test_long_random_play_agrees_with_the_model(
    new_database: Callable[[], str],
) -> None:
    play(new_database, 500, 60)


def _no_idempotency(patch: pytest.MonkeyPatch) -> None:
    """Every key looks new, and its answer replaces the one before."""
    patch.setattr(player_request, "find_answer", lambda *_: None)
    patch.setattr(
        player_request, "_keep_answer", Prepared(select(schema.market.c.session))
    )
    patch.setattr(trading, "_refuse_if_used", lambda *_: None)


def _no_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(market, "require_open", lambda _: None)


def _off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A sale is rounded up, for the player."""
    patch.setattr(pricing, "floor", lambda number: pricing.ceiling(number))


def _lost_leg(patch: pytest.MonkeyPatch) -> None:
    """The fee never reaches the house: its posting is forgotten."""
    original = trading.trade_postings

    def shorter(*arguments: Any) -> list[tuple[str, str, int]]:
        return [p for p in original(*arguments) if not p[0].startswith("fees:")]

    patch.setattr(trading, "trade_postings", shorter)


def _unposted_balance(patch: pytest.MonkeyPatch) -> None:
    """Balances move, the books do not."""
    patch.setattr(
        ledger,
        "merge",
        lambda postings: (
            [(a, s, n // abs(n)) for a, s, n in list(postings)[:0]]
            or [("bank", "x", 1), ("house:x", "x", -1)]
        ),
    )


def _replayed_quote(patch: pytest.MonkeyPatch) -> None:
    """Each use of a quote gets a number of its own, so no key is violated."""
    original = quotes.unseal
    counter = iter(range(10**6))

    def renamed(text_: str, key: bytes) -> quotes.Quote:
        return dataclasses.replace(original(text_, key), quote_id=str(next(counter)))

    patch.setattr(quotes, "unseal", renamed)


def _other_side(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "check_binding", lambda *_: None)


def _immortal_quote(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "check_alive", lambda *_: None)


MUTANTS = {
    mutant.__name__.strip("_"): mutant
    for mutant in (
        _no_idempotency,
        _no_gate,
        _off_by_one,
        _lost_leg,
        _unposted_balance,
        _replayed_quote,
        _other_side,
        _immortal_quote,
    )
}


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_machine_catches_the_mutant(
    name: str, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control: with the exchange broken, the machine must fail."""
    with monkeypatch.context() as patch:
        MUTANTS[name](patch)
        with pytest.raises(BaseException) as caught:
            play(new_database, 60)
    assert not isinstance(caught.value, (KeyboardInterrupt, SystemExit))
