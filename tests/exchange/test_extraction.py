"""Nothing can be taken out at a constant value, by whatever crowd of accounts.

Each scheme is played with the exchange's own prices on paper: one artist, a few
accounts, no database. With the rules no account may end with more than it began; with
the old rule (a sale pays what the curve says) the same scheme must make somebody rich,
or it proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import auction, ledger, pricing
from exchange.settings import ExchangeSettings

RULES = ExchangeSettings()
PRICE, DEPTH = 1_000_000, 2500
BOUND = pricing.impact_bound_micros(RULES, DEPTH)


@dataclass
class Account:
    """Cash against the beginning, and one holding."""

    cash: int = 0
    shares: int = 0
    basis_nanos: int = 0
    session_basis_nanos: int = 0
    cost_units: int = 0


@dataclass
class Paper:
    """One artist's market on paper; `is_capped` switches the rule off."""

    fee_ppm: int = 0
    is_capped: bool = True
    has_first_close: bool = True
    price: int = PRICE
    net: int = 0
    baseline: int = 0
    accounts: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))

    @property
    def u(self) -> int:
        return pricing.displacement(self.net, self.baseline)

    def buy(self, who: str, shares: int, parts: int = 1) -> None:
        for part in _parts(shares, parts):
            value = pricing.purchase_value(self.price, DEPTH, self.u, part)
            self._bought(self.accounts[who], part, value, is_now=True)

    def sell(self, who: str, shares: int | None = None, parts: int = 1) -> None:
        one = self.accounts[who]
        for part in _parts(one.shares if shares is None else shares, parts):
            curve = -pricing.exact_cost(self.price, DEPTH, self.u, -part)
            value = pricing.floor(curve)
            if self.is_capped:
                value = pricing.sale_value(
                    self.price, DEPTH, self.u, part, one.shares, one.basis_nanos
                )
            self._sold(one, part, value)

    def open(self, buys: dict[str, int], sells: dict[str, int]) -> None:
        """Orders for the open, all at one price."""
        bids = [auction.Bid(who, "buy", n, None) for who, n in buys.items() if n]
        bids += [auction.Bid(who, "sell", n, None) for who, n in sells.items() if n]
        cleared = auction.clear(bids, auction.Curve(self.price, DEPTH, self.u, BOUND))
        for bid in sorted(bids, key=lambda bid: bid.side == "buy"):
            filled = cleared.fills.get(bid.order_id, 0)
            one = self.accounts[bid.order_id]
            if not filled:
                continue
            if bid.side == "buy":
                value = pricing.value_at(cleared.price, filled)
                self._bought(one, filled, value, is_now=False)
                continue
            value = pricing.value_at(cleared.price, -filled)
            if self.is_capped:
                most = pricing.basis_value(
                    self.price, one.basis_nanos, filled, one.shares
                )
                value = min(value, most)
            self._sold(one, filled, value)

    def close(self, price: int = PRICE, days: int = 1) -> None:
        for one in self.accounts.values():
            fresh = one.session_basis_nanos
            if self.has_first_close:
                left = fresh * self.price // max(price, self.price)
                one.basis_nanos -= fresh - left
            one.session_basis_nanos = 0
        self.price = price
        for _ in range(days):
            self.baseline = pricing.decayed(RULES, self.net, self.baseline)

    def end(self) -> int:
        """Everybody sells; the most that any account has gained."""
        for who in sorted(self.accounts):
            self.sell(who)
        return max((one.cash for one in self.accounts.values()), default=0)

    def _bought(self, one: Account, shares: int, value: int, *, is_now: bool) -> None:
        basis = pricing.basis_bought(value, self.price)
        one.cash -= value + pricing.fee_of(value, self.fee_ppm)
        one.shares += shares
        one.basis_nanos += basis
        one.session_basis_nanos += basis if is_now else 0
        self.net += shares

    def _sold(self, one: Account, shares: int, value: int) -> None:
        sold = ledger.part_sold(one, shares)
        one.cash += value - pricing.sale_fee_of(value, self.fee_ppm)
        one.shares -= shares
        one.basis_nanos -= sold.basis_nanos
        one.session_basis_nanos -= sold.session_basis_nanos
        self.net -= shares


def _parts(shares: int, parts: int) -> Iterable[int]:
    """A number of shares in that many parts, the larger ones first."""
    each, more = divmod(shares, parts)
    return [n for part in range(parts) if (n := each + (part < more))]


def leavers(paper: Paper, parts: int) -> None:
    """A helper pushes with its whole cash and leaves, fresh ones come after it."""
    for turn in range(10):
        paper.buy("main", 190, parts)
        paper.buy(f"leaver {turn}", 190, parts)
        paper.sell("main", None, parts)
        paper.sell(f"leaver {turn}", None, parts)


def ten_feed_one(paper: Paper, parts: int) -> None:
    paper.buy("main", 190, parts)
    for feeder in range(10):
        paper.buy(f"feeder {feeder}", 80, parts)
    paper.sell("main", None, parts)


def ring(paper: Paper, parts: int) -> None:
    """Each buys after the one before it, and sells on the next one's purchase."""
    paper.buy("0", 150, parts)
    for turn in range(1, 12):
        paper.buy(str(turn % 4), 150, parts)
        paper.sell(str((turn - 1) % 4), None, parts)


def pump_across_a_close(paper: Paper, parts: int) -> None:
    paper.buy("main", 190, parts)
    paper.close()
    for helper in range(4):
        paper.buy(f"helper {helper}", 190, parts)
    paper.close(days=0)
    paper.sell("main", None, parts)


def dump_below(paper: Paper, parts: int) -> None:
    """One sells what the baseline has followed, another buys below F and waits."""
    paper.buy("dumper", 900, parts)
    paper.close(days=30)
    paper.sell("dumper", None, parts)
    paper.buy("buyer", 190, parts)
    paper.close(days=30)
    paper.sell("buyer", None, parts)


def sell_into_own_orders(paper: Paper, parts: int) -> None:
    paper.buy("main", 190, parts)
    paper.open({f"helper {n}": 190 for n in range(4)}, {"main": 190})


SCHEMES = (
    leavers,
    ten_feed_one,
    ring,
    pump_across_a_close,
    dump_below,
    sell_into_own_orders,
)


@pytest.mark.parametrize("parts", [1, 7, 100])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_scheme_takes_anything_out(
    scheme: Callable[[Paper, int], None], parts: int
) -> None:
    for fee_ppm in (0, RULES.base_fee_ppm):
        paper = Paper(fee_ppm)
        scheme(paper, parts)
        assert paper.end() <= 0
    # The control: the curve alone pays some account for what another has lost.
    old = Paper(is_capped=False)
    scheme(old, parts)
    assert old.end() > 100_000


WHO = ("a", "b", "c")
steps = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from(WHO), st.integers(1, 300)),
    st.tuples(st.just("sell"), st.sampled_from(WHO), st.integers(1, 300)),
    st.tuples(st.just("all"), st.sampled_from(WHO), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 20)),
    st.tuples(st.just("open"), st.sampled_from(WHO), st.integers(1, 300)),
)


def played(paper: Paper, moves: list[tuple[str, str, int]]) -> int:
    for (what, who, n), other in zip(moves, cycle(("b", "c", "a")), strict=False):
        mine = paper.accounts[who] if who else Account()
        if what == "buy" and paper.u + n * 10**6 <= BOUND:
            paper.buy(who, n)
        elif what == "sell":
            paper.sell(who, min(n, mine.shares))
        elif what == "all":
            paper.sell(who)
        elif what == "wait":
            paper.close(days=n)
        elif what == "open" and other != who:
            paper.open({other: n}, {who: min(n, mine.shares)})
    return paper.end()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps, min_size=4, max_size=30),
    st.integers(0, 1).map(lambda n: n * 10_000),
)
def test_no_random_play_takes_anything_out(
    moves: list[tuple[str, str, int]], fee_ppm: int
) -> None:
    assert played(Paper(fee_ppm), moves) <= 0


def test_random_play_by_the_old_rule_does() -> None:
    """The control of the one above."""
    moves = [("buy", "a", 200), ("buy", "b", 300), ("all", "a", 0), ("all", "b", 0)]
    assert played(Paper(), moves) <= 0
    assert played(Paper(is_capped=False), moves) > 10**7


def test_who_knows_the_next_price_gains_nothing_by_buying_now() -> None:
    """Without any fee: the basis of what was bought now stays what was paid."""

    def robot(paper: Paper) -> int:
        for rise in (105, 101, 120):
            paper.buy("robot", 150)
            paper.close(paper.price * rise // 100, days=0)
            paper.sell("robot")
        return paper.end()

    assert robot(Paper()) <= 0
    assert robot(Paper(has_first_close=False)) > 10**7


def test_who_held_before_the_day_gains_all_of_a_rise() -> None:
    paper = Paper()
    paper.buy("early", 100)
    paper.close()
    paper.buy("late", 100)
    paper.close(PRICE * 110 // 100, days=0)
    paper.end()
    gains = {who: one.cash for who, one in paper.accounts.items()}
    assert gains["early"] > 100 * PRICE * 9 // 100
    assert gains["late"] <= 0
