"""Clearing the orders for the open: one uniform price for everybody. Pure.

Demand at a price P is what buyers would take at P less what sellers would give. The
curve supplies a net quantity n at the mean price C(n)/n, which rises with n. The
auction finds where the two meet, as a call auction does: everybody strictly better than
the price is filled, those at the margin in part, first come first served.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from exchange import pricing
from exchange.settings import MICROS_PER_SHARE


@dataclass(frozen=True)
class Bid:
    """One order, with the shares it can still take or give."""

    order_id: str
    side: str
    shares: int
    limit_units: int | None


@dataclass(frozen=True)
class Curve:
    """Where the house stands: F in units, b in shares, u in micros, and its bound."""

    fundamental_units: int
    depth_shares: int
    displacement_micros: int
    bound_micros: int

    def price(self, net: int) -> Decimal:
        return pricing.mean_price(
            self.fundamental_units, self.depth_shares, self.displacement_micros, net
        )

    @property
    def most(self) -> int:
        """The largest net demand the limit of the impact leaves room for."""
        room = self.bound_micros - self.displacement_micros
        return max(0, room // MICROS_PER_SHARE)

    @property
    def least(self) -> int:
        room = self.bound_micros + self.displacement_micros
        return -max(0, room // MICROS_PER_SHARE)


@dataclass(frozen=True)
class Cleared:
    """The uniform price, exact, and what each order got (absent: nothing)."""

    price: Decimal
    net: int
    fills: dict[str, int]


def clear(bids: Sequence[Bid], curve: Curve) -> Cleared:
    """Clear the bids, given in order of arrival."""
    net = min(curve.most, max(curve.least, _crossing(bids, curve)))
    # One share can move the price past limits on both sides: then the neighbour at
    # which more orders are filled is the better meeting.
    around = [
        near
        for near in (net, net + 1, net - 1)
        if curve.least <= near <= curve.most and _is_matched(bids, curve, near)
    ]
    if around:
        net = max(around, key=lambda near: _filled(bids, curve.price(near), near))
    else:
        net = _nearest_matched(bids, curve, net)
    price = curve.price(net)
    bought = _bought(bids, price, net)
    buys = [b for b in bids if b.side == "buy" and _accepts(b, price)]
    sells = [b for b in bids if b.side == "sell" and _accepts(b, price)]
    return Cleared(price, net, _fill(buys, bought) | _fill(sells, bought - net))


def _taken(bids: Sequence[Bid], side: str, price: Decimal) -> int:
    return sum(b.shares for b in bids if b.side == side and _accepts(b, price))


def _bought(bids: Sequence[Bid], price: Decimal, net: int) -> int:
    """The shares that buyers get at a price when the house gives `net`."""
    return min(_taken(bids, "buy", price), _taken(bids, "sell", price) + net)


def _filled(bids: Sequence[Bid], price: Decimal, net: int) -> int:
    """The shares that orders of both sides get."""
    return 2 * _bought(bids, price, net) - net


def _is_matched(bids: Sequence[Bid], curve: Curve, net: int) -> bool:
    """Whether those who accept the price of a net quantity can make it up."""
    price = curve.price(net)
    return -_taken(bids, "sell", price) <= net <= _taken(bids, "buy", price)


def _nearest_matched(bids: Sequence[Bid], curve: Curve, net: int) -> int:
    """The net quantity nearest to the given one, towards zero, that can be made up.

    One share can move the price past several limits; zero always works.
    """
    sign = 1 if net > 0 else -1
    low, high = 0, abs(net)
    while low < high:
        middle = (low + high + 1) // 2
        if _is_matched(bids, curve, sign * middle):
            low = middle
        else:
            high = middle - 1
    return sign * low


def _accepts(bid: Bid, price: Decimal) -> bool:
    if bid.limit_units is None:
        return True
    return price <= bid.limit_units if bid.side == "buy" else price >= bid.limit_units


def _demand(bids: Sequence[Bid], price: Decimal, *, strictly: str = "") -> int:
    """Net demand at a price; `strictly` leaves out that side's orders at it."""
    total = 0
    for bid in bids:
        if not _accepts(bid, price) or (
            bid.side == strictly and bid.limit_units == price
        ):
            continue
        total += bid.shares if bid.side == "buy" else -bid.shares
    return total


def _crossing(bids: Sequence[Bid], curve: Curve) -> int:
    """The net quantity at which the curve's price meets the demand."""
    limits = sorted({b.limit_units for b in bids if b.limit_units is not None})
    low, high = 0, len(limits)
    # The first limit at which the price for what is then demanded is not above it.
    while low < high:
        middle = (low + high) // 2
        level = Decimal(limits[middle])
        if curve.price(_demand(bids, level, strictly="buy")) <= level:
            high = middle
        else:
            low = middle + 1
    if low == len(limits):
        # Above every limit: only orders without one are left to buy.
        return _demand(bids, _above(limits))
    level = Decimal(limits[low])
    # Just below the level, at it without those whose limit it is, and just above it.
    below = _demand(bids, level, strictly="sell")
    if curve.price(below) <= level:
        return below
    inside = _demand_both(bids, level)
    if curve.price(inside) <= level:
        return _largest(curve, inside, below, level)
    return _smallest(curve, _demand(bids, level, strictly="buy"), inside, level)


def _demand_both(bids: Sequence[Bid], level: Decimal) -> int:
    """Net demand of those who are strictly better than the level."""
    return sum(
        b.shares if b.side == "buy" else -b.shares
        for b in bids
        if _accepts(b, level) and b.limit_units != level
    )


def _above(limits: Sequence[int]) -> Decimal:
    return Decimal((limits[-1] if limits else 0) + 1)


def _largest(curve: Curve, low: int, high: int, level: Decimal) -> int:
    """The largest net in [low, high] whose price is not above the level."""
    while low < high:
        middle = (low + high + 1) // 2
        if curve.price(middle) <= level:
            low = middle
        else:
            high = middle - 1
    return low


def _smallest(curve: Curve, low: int, high: int, level: Decimal) -> int:
    """The smallest net in [low, high] whose price is not below the level."""
    while low < high:
        middle = (low + high) // 2
        if curve.price(middle) >= level:
            high = middle
        else:
            low = middle + 1
    return low


def _fill(bids: Sequence[Bid], shares: int) -> dict[str, int]:
    """Best limit first, then first come: no limit is the best limit."""
    best = sorted(
        enumerate(bids),
        key=lambda item: (
            item[1].limit_units is not None,
            (item[1].limit_units or 0) * (-1 if item[1].side == "buy" else 1),
            item[0],
        ),
    )
    fills = {}
    for _, bid in best:
        taken = min(bid.shares, shares)
        if taken:
            fills[bid.order_id] = taken
            shares -= taken
    return fills
