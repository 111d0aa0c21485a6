"""The curve, its rounding, and the auction: what must hold for every number."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange import auction, pricing
from exchange.settings import MICROS_PER_SHARE, ExchangeSettings

RULES = ExchangeSettings()
prices = st.integers(1, 10**8)
depths = st.integers(100, 10**6)
shares = st.integers(1, 400)
moves = st.integers(-(10**8), 10**8)


@given(prices, depths, moves, st.lists(shares, min_size=1, max_size=6))
def test_splitting_an_order_changes_nothing_but_rounding(
    price: int, depth: int, u: int, parts: list[int]
) -> None:
    whole = pricing.value_of(price, depth, u, sum(parts))
    place, paid = u, 0
    for part in parts:
        paid += pricing.value_of(price, depth, place, part)
        place += part * MICROS_PER_SHARE
    assert 0 <= paid - whole <= len(parts)


@given(prices, depths, moves, st.lists(st.integers(-300, 300), max_size=12))
def test_coming_back_to_where_one_began_never_pays(
    price: int, depth: int, u: int, steps: list[int]
) -> None:
    place, cash = u, 0
    for step in [*steps, -sum(steps)]:
        if step > 0:
            cash -= pricing.value_of(price, depth, place, step)
        elif step < 0:
            cash += pricing.value_of(price, depth, place, step)
        place += step * MICROS_PER_SHARE
    assert cash <= 0


@settings(max_examples=60)
@given(
    prices,
    st.lists(
        st.one_of(st.integers(-300, 300), st.just("wait")), min_size=1, max_size=25
    ),
)
def test_no_way_of_buying_selling_and_waiting_earns_money_at_a_constant_value(
    price: int, steps: list[int | str]
) -> None:
    """All players together: nobody holds shares before, everything is sold after."""
    depth, held, baseline, cash = 1000, 0, 0, 0

    def trade(signed: int) -> int:
        u = pricing.displacement(held, baseline)
        value = pricing.value_of(price, depth, u, signed)
        fee = pricing.fee_of(value, RULES.base_fee_ppm)
        return -value - fee if signed > 0 else value - min(fee, value)

    for step in steps:
        if isinstance(step, str):
            baseline = pricing.decayed(RULES, held, baseline)
        elif step and held + step >= 0:
            cash += trade(step)
            held += step
    if held:
        cash += trade(-held)
    assert cash <= 0


@given(prices, depths, moves, st.integers(1, 300))
def test_a_wash_trade_costs_both_fees(price: int, depth: int, u: int, n: int) -> None:
    bought = pricing.value_of(price, depth, u, n)
    sold = pricing.value_of(price, depth, u + n * MICROS_PER_SHARE, -n)
    assert 0 <= bought - sold <= 1
    fees = pricing.fee_of(bought, 10_000) + pricing.sale_fee_of(sold, 10_000)
    assert fees >= (bought + sold) * 10_000 // 1_000_000


@given(prices, depths, moves, st.integers(-300, 300).filter(bool))
def test_rounding_is_against_the_player_by_less_than_a_unit(
    price: int, depth: int, u: int, n: int
) -> None:
    exact = pricing.exact_cost(price, depth, u, n)
    value = pricing.value_of(price, depth, u, n)
    lost = value - exact if n > 0 else -exact - value
    assert 0 <= lost < 1


def test_the_curve_gives_the_same_units_everywhere() -> None:
    """Known values, so that a change of the arithmetic is seen."""
    assert pricing.value_of(1_000_000, 4000, 0, 30) == 30_112_782
    assert pricing.value_of(1_000_000, 4000, 30_000_000, -30) == 30_112_781
    assert pricing.spot(1_234_567, 1000, 123_456_789) == 1_396_790
    assert pricing.spread_ppm(2_000, 20_000, 6 * 3600) == 20_000


@given(st.integers(0, 10**9), st.decimals("0.01", "100000"), st.integers(0, 50_000))
def test_what_is_affordable_can_be_paid_and_one_more_cannot(
    cash: int, price: Decimal, rate: int
) -> None:
    def cost(n: int) -> int:
        value = pricing.value_at(price, n) if n else 0
        return value + pricing.fee_of(value, rate)

    n = pricing.affordable(cash, price, rate)
    assert cost(n) <= cash
    # One more could at best be a rounding away.
    assert cost(n + 2) > cash


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
