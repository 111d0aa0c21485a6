"""The curve, its rounding, and the auction: what must hold for every number."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange import auction, pricing
from exchange.settings import MICROS_PER_SHARE

prices = st.integers(1, 10**8)
depths = st.integers(100, 10**6)
shares = st.integers(1, 400)
moves = st.integers(-(10**8), 10**8)


def sale(price: int, depth: int, u: int, sold: int, held: int, basis: int) -> int:
    return pricing.sale_value(price, depth, u, sold, held, basis)


@given(prices, depths, moves, st.lists(shares, min_size=1, max_size=6))
def test_splitting_a_purchase_changes_nothing_but_rounding(
    price: int, depth: int, u: int, parts: list[int]
) -> None:
    whole = pricing.purchase_value(price, depth, u, sum(parts))
    place, paid, basis = u, 0, 0
    for part in parts:
        value = pricing.purchase_value(price, depth, place, part)
        paid += value
        basis += pricing.basis_bought(value, price)
        place += part * MICROS_PER_SHARE
    assert 0 <= paid - whole <= len(parts)
    assert basis * price <= paid * 10**9


ratios = st.decimals("0.5", "3", places=4)


@given(prices, depths, moves, ratios, st.lists(shares, min_size=1, max_size=6))
def test_splitting_a_sale_changes_nothing_but_rounding(
    price: int, depth: int, u: int, ratio: Decimal, parts: list[int]
) -> None:
    held = sum(parts) + 5
    basis = int(held * ratio * 10**9)
    whole = sale(price, depth, u, sum(parts), held, basis)
    got = 0
    for part in parts:
        got += sale(price, depth, u, part, held, basis)
        basis -= pricing.basis_sold(basis, part, held)
        held -= part
        u -= part * MICROS_PER_SHARE
    # A unit for each part, and what a billionth of a share is worth.
    lost = len(parts) * (1 + len(parts) * (1 + price // 10**9))
    assert -lost <= got - whole <= 0 or abs(got - whole) <= 1


@given(prices, depths, moves, ratios, st.integers(1, 300), st.integers(0, 300))
def test_a_sale_pays_what_its_integral_says(
    price: int, depth: int, u: int, ratio: Decimal, sold: int, more: int
) -> None:
    """Share by share in small steps, against the closed form."""
    held = sold + more
    basis = int(held * ratio * 10**9)
    cap, steps, total = basis / held / 1e9, 400, 0.0
    for step in range(steps):
        s = sold * (step + 0.5) / steps
        total += min(math.exp(max(u / 1e6 - s, 0) / depth), cap)
    exact = price * total * sold / steps
    found = sale(price, depth, u, sold, held, basis)
    assert abs(found - exact) <= 1.5 + exact * 2e-4 * max(1, (sold / depth) ** 2)
    assert found <= pricing.basis_value(price, basis, sold, held)


@given(prices, depths, moves, st.integers(1, 300))
def test_a_wash_trade_costs_both_fees(price: int, depth: int, u: int, n: int) -> None:
    bought = pricing.purchase_value(price, depth, u, n)
    basis = pricing.basis_bought(bought, price)
    sold = sale(price, depth, u + n * MICROS_PER_SHARE, n, n, basis)
    assert sold <= bought
    fees = pricing.fee_of(bought, 10_000) + pricing.sale_fee_of(sold, 10_000)
    assert fees >= (bought + sold) * 10_000 // 1_000_000


@given(prices, depths, moves, st.integers(1, 300))
def test_rounding_is_against_the_player_by_less_than_a_unit(
    price: int, depth: int, u: int, n: int
) -> None:
    exact = pricing.exact_cost(price, depth, u, n)
    value = pricing.purchase_value(price, depth, u, n)
    assert 0 <= value - exact < 1
    basis = pricing.basis_bought(value, price)
    # Up to 100,000 credits a share, a billionth of it is at most one unit.
    assert 0 <= value - price * basis / Decimal(10**9) < 1


def test_the_curve_gives_the_same_units_everywhere() -> None:
    """Known values, so that a change of the arithmetic is seen."""
    assert pricing.purchase_value(1_000_000, 4000, 0, 30) == 30_112_782
    basis = pricing.basis_bought(30_112_782, 1_000_000)
    assert basis == 30_112_782_000
    # Down the curve: from 60 shares above to 30, but no more than was paid.
    assert sale(1_000_000, 4000, 60_000_000, 30, 30, basis) == 30_112_782
    assert sale(1_000_000, 4000, 30_000_000, 30, 30, 2 * basis) == 30_112_781
    assert sale(1_000_000, 4000, 30_000_000, 30, 30, basis) == 30_084_551
    assert sale(1_000_000, 4000, -30_000_000, 30, 30, 2 * basis) == 30_000_000
    assert pricing.spot(1_234_567, 1000, 123_456_789) == 1_396_790
    assert pricing.spread_ppm(2_000, 20_000, 6 * 3600) == 20_000


bids = st.lists(
    st.tuples(
        st.sampled_from(("buy", "sell")),
        st.integers(1, 500),
        st.none() | st.integers(700_000, 1_300_000),
    ),
    min_size=1,
    max_size=12,
).map(lambda found: [auction.Bid(f"{n:02}", *one) for n, one in enumerate(found)])
curves = st.builds(
    auction.Curve,
    st.just(1_000_000),
    st.integers(100, 4000),
    st.integers(-(10**8), 10**8),
    st.just(400_000_000),
)


@settings(max_examples=300)
@given(bids, curves)
def test_the_auction_clears_at_one_price_that_everybody_filled_accepts(
    waiting: list[auction.Bid], curve: auction.Curve
) -> None:
    cleared = auction.clear(waiting, curve)
    by_id = {bid.order_id: bid for bid in waiting}
    net = 0
    for order_id, filled in cleared.fills.items():
        bid = by_id[order_id]
        assert 0 < filled <= bid.shares
        net += filled if bid.side == "buy" else -filled
        if bid.limit_units is not None:
            better = cleared.price <= bid.limit_units
            assert better if bid.side == "buy" else cleared.price >= bid.limit_units
    assert net == cleared.net
    assert cleared.price == curve.price(net)
    assert curve.least <= net <= curve.most


@settings(max_examples=200)
@given(bids, curves)
@example(  # the price of one share more lies beyond both limits
    [
        auction.Bid("00", "sell", 40, 1_261_906),
        auction.Bid("01", "buy", 64, None),
        auction.Bid("02", "buy", 94, 1_262_107),
    ],
    auction.Curve(1_000_000, 100, 0, 400_000_000),
)
@example(  # one share less is a lower price, at which nobody who would sell is left
    [
        auction.Bid("00", "sell", 40, 1_003_530),
        auction.Bid("01", "buy", 40, None),
        auction.Bid("02", "sell", 40, 781_159),
        auction.Bid("03", "buy", 1, 1_004_370),
        auction.Bid("04", "buy", 1, None),
    ],
    auction.Curve(1_000_000, 150, 0, 400_000_000),
)
def test_the_auction_leaves_nobody_out_who_could_have_been_filled(
    waiting: list[auction.Bid], curve: auction.Curve
) -> None:
    cleared = auction.clear(waiting, curve)
    # Strictly better means by more than what one share moves the price.
    step = curve.price(cleared.net + 1) - curve.price(cleared.net - 1)
    left = {
        side: sum(
            bid.shares - cleared.fills.get(bid.order_id, 0)
            for bid in waiting
            if bid.side == side
            and (
                bid.limit_units is None
                or (
                    cleared.price + step < bid.limit_units
                    if side == "buy"
                    else cleared.price - step > bid.limit_units
                )
            )
        )
        for side in ("buy", "sell")
    }
    assert not (left["buy"] and left["sell"])
    # Whoever is strictly better is filled, unless the limit of the impact is reached.
    if left["buy"]:
        assert cleared.net == curve.most
    if left["sell"]:
        assert cleared.net == curve.least


@given(bids, curves)
def test_the_house_never_loses_by_an_auction(
    waiting: list[auction.Bid], curve: auction.Curve
) -> None:
    cleared = auction.clear(waiting, curve)
    by_id = {bid.order_id: bid for bid in waiting}
    got = 0
    for order_id, filled in cleared.fills.items():
        if by_id[order_id].side == "buy":
            got += pricing.value_at(cleared.price, filled)
        else:
            got -= pricing.value_at(cleared.price, -filled)
    if cleared.net:
        exact = pricing.exact_cost(
            curve.fundamental_units,
            curve.depth_shares,
            curve.displacement_micros,
            cleared.net,
        )
        assert got >= exact - Decimal("1e-9")
    else:
        assert got >= 0
