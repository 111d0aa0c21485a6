"""What players cannot honour is cut from an auction, the last order first."""

from __future__ import annotations

import random

import pytest

from exchange import auction
from exchange.auction import Bid, Cleared, Curve
from exchange.settlement import clearing
from exchange.settlement.clearing import Order, Trader, clear_honourable

PRICE = 1_000_000
FEE_PPM = 10_000
CURVE = Curve(PRICE, 4000, 0, 4000 * 400_000)


def invent(seed: int) -> tuple[list[Order], Curve, dict[str, Trader]]:
    """Orders of a few players, most of which somebody cannot pay or deliver."""
    dice = random.Random(seed)
    depth = dice.choice([100, 400, 4000])
    curve = Curve(
        PRICE, depth, dice.randint(-depth // 5, depth // 5) * 10**6, depth * 400_000
    )
    traders = {
        f"p{n}": Trader(
            dice.choice([0, PRICE * 5, PRICE * 50, PRICE * depth]),
            dice.choice([0, 3, 30, 300]),
            dice.choice([PRICE * 10, PRICE * 100, PRICE * 10**5]),
        )
        for n in range(dice.randint(1, 8))
    }
    orders = [
        Order(
            Bid(
                f"{n:03}",
                dice.choice(["buy", "buy", "sell"]),
                dice.choice([1, 5, dice.randint(1, 2 * depth)]),
                dice.choice([None, None, int(PRICE * dice.uniform(0.8, 1.2))]),
            ),
            dice.choice(sorted(traders)),
        )
        for n in range(dice.randint(1, 20))
    ]
    return orders, curve, traders


def by_halving_alone(
    orders: list[Order], curve: Curve, traders: dict[str, Trader]
) -> tuple[Cleared, dict[str, str]]:
    """The same search without the shortcut."""
    allowed = {order.bid.order_id: order.bid.shares for order in orders}
    reasons = {}

    def attempt() -> tuple[Cleared, dict[str, clearing.Cut]]:
        bids = [
            Bid(bid.order_id, bid.side, allowed[bid.order_id], bid.limit_units)
            for bid in (order.bid for order in orders)
            if allowed[bid.order_id]
        ]
        cleared = auction.clear(bids, curve)
        return cleared, clearing._cuts(orders, curve, cleared, traders, FEE_PPM)

    cleared, cuts = attempt()
    while cuts:
        order_id = max(cuts)
        low, high = cuts[order_id].shares, cleared.fills[order_id] - 1
        reasons[order_id] = cuts[order_id].reason
        while low < high:
            allowed[order_id] = (low + high + 1) // 2
            if order_id in attempt()[1]:
                high = allowed[order_id] - 1
            else:
                low = allowed[order_id]
        allowed[order_id] = low
        cleared, cuts = attempt()
    return cleared, reasons


def test_trying_one_share_more_first_changes_no_result() -> None:
    cuts = 0
    for seed in range(120):
        orders, curve, traders = invent(seed)
        found = clear_honourable(orders, curve, traders, FEE_PPM)
        expected = by_halving_alone(orders, curve, traders)
        assert (found.cleared, found.reasons) == expected, seed
        cuts += len(found.reasons)
    assert cuts > 200, "nothing was cut"


def test_what_is_left_can_be_honoured_by_everybody() -> None:
    for seed in range(120, 180):
        orders, curve, traders = invent(seed)
        found = clear_honourable(orders, curve, traders, FEE_PPM)
        assert not clearing._cuts(orders, curve, found.cleared, traders, FEE_PPM)
        # The control: as the auction gave them, not everybody could.
        at_first = auction.clear([order.bid for order in orders], curve)
        cuts = clearing._cuts(orders, curve, at_first, traders, FEE_PPM)
        assert bool(cuts) == bool(found.reasons), seed


def test_an_order_nobody_can_pay_costs_two_auctions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0
    clear = auction.clear

    def count(*given: object) -> Cleared:
        nonlocal calls
        calls += 1
        return clear(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(auction, "clear", count)
    orders = [Order(Bid(f"{n:03}", "buy", 400, None), "poor") for n in range(50)]
    found = clear_honourable(orders, CURVE, {"poor": Trader(0, 0, 10**12)}, FEE_PPM)
    assert found.cleared.fills == {}
    assert set(found.reasons.values()) == {"insufficient_funds"}
    # By halving alone it is nine for each order and more.
    assert calls <= 2 * len(orders) + 1
