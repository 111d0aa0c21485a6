"""Random play against a model that knows nothing of databases, and its mutants.

The model is a few dictionaries and three formulas. After every step the database and
the model must agree to the unit, and the books must add up. The mutants break the
exchange on purpose; the machine must notice each of them, or it proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from types import SimpleNamespace
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
from exchange.settings import NANOS_PER_SHARE as NANOS
from exchange.settings import UNITS_PER_CREDIT
from exchange.settlement import dividends, listings
from tests.exchange.game import NAMES, SETTINGS, Game, artist, values

DIGITS = Context(prec=60)
RULES = SETTINGS.model_copy(update={"holding_limit_pct": 100, "staleness_z_milli": 0})
PLAYERS = ("ann", "bob", "cyd")


F, DEPTH, SURPRISES = 1_000_000, 4000, {"Low": 1500, "Can": 700}


@dataclass
class Held:
    """One player's shares of one artist; basis in billionths of a share."""

    shares: int = 0
    basis: int = 0
    fresh: int = 0
    closes: tuple[int, int] = (0, 0)
    reserved: int = 0


@dataclass
class Order:
    """An order for the open; `most` is the highest price its cash pays."""

    who: str
    side: str
    shares: int
    cash: int = 0
    most: int = 0


class Model:
    """What should be: cash, shares, basis and the curve, in plain numbers."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.cash: dict[str, int] = {}
        self.reserved = dict.fromkeys(PLAYERS, 0)
        self.held = defaultdict[tuple[str, str], Held](Held)
        self.price = dict.fromkeys(NAMES, F)
        self.net = dict.fromkeys(NAMES, 0)
        self.house = dict.fromkeys(NAMES, 0)
        self.fees = dict.fromkeys(NAMES, 0)
        self.baseline: dict[str, Decimal] = dict.fromkeys(NAMES, Decimal(0))
        self.orders: dict[str, Order] = {}
        self.surprises: dict[str, int] = {}
        self.is_open = True
        self.closes = 0
        self.used: set[str] = set()

    def exp(self, place: Decimal | int) -> Decimal:
        return DIGITS.exp(DIGITS.divide(Decimal(place), Decimal(DEPTH)))

    def u(self, name: str) -> Decimal:
        return self.net[name] - self.baseline[name]

    def cost(self, name: str, signed: int) -> Decimal:
        """C(Q), exact."""
        u = self.u(name)
        rise = self.exp(u + signed) - self.exp(u)
        return DIGITS.multiply(Decimal(self.price[name] * DEPTH), rise)

    def value(self, who: str, name: str, side: str, shares: int) -> int:
        """What a trade now comes to before the fee, against the player."""
        if side == "buy":
            return up(self.cost(name, shares))
        mine = self.held[who, name]
        most = self.most(name, mine, shares)
        cap = DIGITS.divide(Decimal(mine.basis), Decimal(mine.shares * NANOS))
        if cap <= 1:
            return most
        # Down from u: at the cap, then on the curve, then at the fundamental price.
        u = max(self.u(name), Decimal(0))
        end = max(u - shares, Decimal(0))
        edge = min(max(DIGITS.multiply(Decimal(DEPTH), DIGITS.ln(cap)), end), u)
        paid = (
            DIGITS.multiply(cap, u - edge)
            + DIGITS.multiply(Decimal(DEPTH), self.exp(edge) - self.exp(end))
            + (shares - (u - end))
        )
        return min(most, down(DIGITS.multiply(Decimal(self.price[name]), paid)))

    def most(self, name: str, mine: Held, shares: int) -> int:
        return self.price[name] * mine.basis * shares // (mine.shares * NANOS)

    def trade(
        self, who: str, name: str, side: str, shares: int, value: int, *, now: bool
    ) -> None:
        fee = -(-value // 100)
        mine, sign = self.held[who, name], 1 if side == "buy" else -1
        if side == "buy":
            added = value * NANOS // self.price[name]
            mine.basis += added
            mine.fresh += added if now else 0
        else:
            taken = -(-mine.basis * shares // mine.shares)
            mine.fresh -= mine.fresh * shares // mine.shares
            mine.basis -= taken
            mine.fresh = min(mine.fresh, mine.basis)
        self.cash[who] -= sign * value + fee
        mine.shares += sign * shares
        self.net[name] += sign * shares
        self.house[name] += sign * value
        self.fees[name] += fee

    def settle(self, price: int) -> None:
        """The close: prices, first close, orders, the baseline, dividends."""
        for (_, name), mine in self.held.items():
            old = self.price[name]
            mine.basis -= mine.fresh - mine.fresh * old // max(old, price)
            mine.fresh = 0
        self.price = dict.fromkeys(NAMES, price)
        for name, order in sorted(self.orders.items()):
            self.clear(name, order)
        self.orders = {}
        kept = DIGITS.power(Decimal(2), DIGITS.divide(Decimal(-1), Decimal(5)))
        for name in NAMES:
            u = self.u(name) * 1_000_000
            self.baseline[name] += (
                DIGITS.multiply(1 - kept, u).to_integral_value() / 1_000_000
            )
        self.pay()
        self.surprises = SURPRISES
        for mine in self.held.values():
            mine.closes = (mine.shares, mine.closes[0])

    def clear(self, name: str, order: Order) -> None:
        """One order alone meets the curve at its mean price."""
        mine, shares = self.held[order.who, name], order.shares
        self.reserved[order.who] -= order.cash
        if order.side == "sell":
            mine.reserved -= shares
            value = min(down(-self.cost(name, -shares)), self.most(name, mine, shares))
        else:
            while shares and self.cost(name, shares) > shares * order.most:
                shares -= 1
            value = up(self.cost(name, shares))
        if shares:
            self.trade(order.who, name, order.side, shares, value, now=False)

    def pay(self) -> None:
        """Dividends by value, out of the fees; what is left goes to nobody."""
        weights = {
            key: min(mine.shares, *mine.closes)
            * self.price[key[1]]
            * self.surprises.get(key[1], 0)
            // 1000
            for key, mine in self.held.items()
        }
        total = sum(weights.values())
        pool = min(sum(self.fees.values()), total // 2000)
        self.fees = dict.fromkeys(NAMES, 0)
        if not total:
            return
        exact = {key: Fraction(pool * n, total) for key, n in weights.items()}
        parts = {key: int(part) for key, part in exact.items()}
        left = sorted(
            exact,
            key=lambda key: (
                parts[key] - exact[key],
                self.ids[key[0]],
                artist(key[1]),
            ),
        )
        for key in left[: pool - sum(parts.values())]:
            parts[key] += 1
        for (who, _), part in parts.items():
            self.cash[who] += part


def up(number: Decimal) -> int:
    return int(number.to_integral_value(rounding="ROUND_CEILING"))


def down(number: Decimal) -> int:
    return int(number.to_integral_value(rounding="ROUND_FLOOR"))


class Exchange(RuleBasedStateMachine):
    """Three players, five artists, and every way of going wrong."""

    new_database: ClassVar[Callable[[], str]]

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(self.new_database(), sync="OFF")
        self.game = Game(self.database, RULES).opened()
        self.model = Model()
        self.ids = {name: self.game.join(name) for name in PLAYERS}
        self.model.ids = self.ids
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
        mine = self.model.held[who, name]
        owns = side == "buy" or mine.shares - mine.reserved >= shares
        expected = self.model.value(who, name, side, shares) if owns else 0
        fee = -(-expected // 100)
        free = self.model.cash[who] - self.model.reserved[who]
        can_pay = side == "sell" or free >= expected + fee
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
        mine = self.model.held[who, name]
        owns = side == "buy" or mine.shares - mine.reserved >= shares
        now = self.model.value(who, name, side, shares) if owns else 0
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
        assert not moved, "a quote was believed"
        assert answer.body["value_units"] == now
        self.model.trade(who, name, side, shares, now, now=True)

    @rule(
        who=st.sampled_from(PLAYERS),
        name=st.sampled_from(NAMES[:2]),
        side=st.sampled_from(("buy", "sell")),
        shares=st.integers(1, 90),
    )
    def order_for_the_open(self, who: str, name: str, side: str, shares: int) -> None:
        """One order at a time for an artist; what it needs is set aside."""
        if name in self.model.orders:
            return
        mine = self.model.held[who, name]
        price = self.game.listing(name).price_units
        made = Order(who, side, shares)
        if side == "buy":
            made.most = -(-price * 110 // 100)
            made.cash = shares * made.most + -(-shares * made.most // 100)
        free = self.model.cash[who] - self.model.reserved[who]
        fits = made.cash <= free if side == "buy" else shares <= mine.shares
        answer = self.game.order(self.ids[who], side, shares, name=name)
        if answer.status != 200:
            assert answer.body["code"] in (
                "insufficient_funds",
                "insufficient_shares",
                "limit_reached",
            )
            assert not fits or answer.body["code"] == "limit_reached"
            return
        assert fits
        self.model.reserved[who] += made.cash
        mine.reserved += shares if side == "sell" else 0
        self.model.orders[name] = made

    @precondition(lambda self: self.model.is_open)
    @rule(side=st.sampled_from(("buy", "sell")), shares=st.integers(1, 40))
    def somebody_is_quicker(self, side: str, shares: int) -> None:
        """A quote, a trade of another on the same side, then the quote."""
        before = len(self.quotes)
        self.ask("ann", "Low", side, shares)
        if len(self.quotes) > before:
            self.buy_or_sell("bob", "Low", side, shares)
            self.use(before)

    @rule(
        who=st.sampled_from(PLAYERS),
        shares=st.integers(2, 40),
        price=st.sampled_from((90, 104, 115)),
    )
    def hold_over_closes(self, who: str, shares: int, price: int) -> None:
        """Bought now, a close, another at another price, and half is sold."""
        self.buy_or_sell(who, "Low", "buy", shares)
        self.a_day_goes_by(100)
        self.a_day_goes_by(price)
        self.buy_or_sell(who, "Low", "sell", max(1, shares // 2))

    @precondition(lambda self: self.model.is_open and bool(self.model.used))
    @rule(n=st.integers(0, 50))
    def go_back_and_use_again(self, n: int) -> None:
        """Undo what a quote did, so that its price is right again, and replay it."""
        used = [
            place
            for place, one in enumerate(self.quotes)
            if one[4]["quote"] in self.model.used and one[5] == self.model.closes
        ]
        if not used:
            return
        who, name, side, shares, _, _ = self.quotes[used[n % len(used)]]
        self.buy_or_sell(who, name, "sell" if side == "buy" else "buy", shares)
        self.use(used[n % len(used)])

    @precondition(lambda self: self.model.is_open)
    @rule(shares=st.integers(1, 20))
    def keep_a_quote_over_a_close(self, shares: int) -> None:
        before = len(self.quotes)
        self.ask("bob", "Low", "buy", shares)
        self.close()
        self.open(settle=False, price=100)
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
    @rule(settle=st.booleans(), price=st.sampled_from((90, 100, 104, 115)))
    def open(self, settle: bool, price: int) -> None:
        if settle:
            self.game.settle(
                tuple(
                    dataclasses.replace(
                        one, surprise_milli=SURPRISES.get(one.artist_name, 0)
                    )
                    for one in values(price)
                )
            )
            self.model.settle(price * UNITS_PER_CREDIT)
        self.game.open()
        self.model.is_open = True

    @rule(price=st.sampled_from((90, 100, 104, 115)))
    def a_day_goes_by(self, price: int) -> None:
        if self.model.is_open:
            self.close()
        self.open(settle=True, price=price)

    @invariant()
    def database_and_model_agree(self) -> None:
        with self.database.read() as connection:
            players = {
                row.player_id: (row.cash_units, row.reserved_units)
                for row in connection.execute(select(schema.players))
            }
            held = {
                (row.player_id, row.artist_id): (
                    row.shares,
                    row.basis_nanos,
                    row.session_basis_nanos,
                    row.reserved_shares,
                )
                for row in connection.execute(select(schema.holdings))
            }
            listings = {
                row.artist_name: row
                for row in connection.execute(select(schema.listings))
            }
            assert ledger.violations(connection) == []
        for who, player_id in self.ids.items():
            wanted = (self.model.cash[who], self.model.reserved[who])
            assert players[player_id] == wanted
            assert wanted[0] >= wanted[1] >= 0
            for name in NAMES:
                mine = self.model.held[who, name]
                there = held.get((player_id, artist(name)), (0, 0, 0, 0))
                assert there == (mine.shares, mine.basis, mine.fresh, mine.reserved)
                assert min(there) >= 0
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
        player_request, "_keep_answer", Prepared(select(*ledger.PLAYER_BOOKS))
    )


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
    patch.setattr(quotes, "check_alive", lambda quote, now, *_: now)


def _no_cap(patch: pytest.MonkeyPatch) -> None:
    """A sale pays what the curve says, whoever moved it."""
    patch.setattr(
        pricing,
        "sale_value",
        lambda price, depth, u, sold, *_: pricing.floor(
            -pricing.exact_cost(price, depth, u, -sold)
        ),
    )


def _cap_by_average_price(patch: pytest.MonkeyPatch) -> None:
    """A sale pays at most what was paid in money, whatever the value has become."""
    original = trading.value_of

    def value(listing: Any, holding: Any, side: Any, shares: int) -> int:
        found = original(listing, holding, side, shares)
        if side == "buy":
            return found
        return min(found, holding.cost_units * shares // holding.shares)

    patch.setattr(trading, "value_of", value)


def _no_first_close(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(listings, "take_rises", lambda *_: None)


def _basis_not_reduced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pricing, "basis_sold", lambda *_: 0)


def _dividends_by_shares(patch: pytest.MonkeyPatch) -> None:
    original = dividends._claims

    def claims(connection: Any, close: Any, listed: Any) -> Any:
        same = SimpleNamespace(fundamental_price_units=F)
        return original(connection, close, dict.fromkeys(listed, same))  # type: ignore[arg-type]

    patch.setattr(dividends, "_claims", claims)


def _believed_price(patch: pytest.MonkeyPatch) -> None:
    """What the quote says is done, as its signature is right."""

    def believe(terms: trading.Terms, agreed: quotes.Quote) -> None:
        for name in ("value_units", "fee_units"):
            object.__setattr__(terms, name, getattr(agreed, name))

    patch.setattr(trading, "_check_agreed", believe)


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
        _no_cap,
        _cap_by_average_price,
        _no_first_close,
        _basis_not_reduced,
        _dividends_by_shares,
        _believed_price,
    )
}


@pytest.mark.parametrize(
    "engine", ["new_sqlite", pytest.param("new_postgres", marks=pytest.mark.chaos)]
)
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_machine_catches_the_mutant(
    name: str,
    engine: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A control: with the exchange broken, the machine must fail."""
    new_database = request.getfixturevalue(engine)
    with monkeypatch.context() as patch:
        MUTANTS[name](patch)
        with pytest.raises(BaseException) as caught:
            play(new_database, 60)
    assert not isinstance(caught.value, (KeyboardInterrupt, SystemExit))
