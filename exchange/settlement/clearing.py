"""Orders for the open: one auction per artist, at the new price.

Every order has set aside what it may need, so what the auction fills can be paid and
delivered. Reads orders and writes trades; linear in orders.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from exchange import auction, orders, pricing, schema, trading
from exchange.auction import Bid, Cleared, Curve
from exchange.settlement.contract import Close

_held = schema.holdings.c
_placed = schema.orders.c


@dataclass(frozen=True)
class ClearedOrders:
    """What the auctions of a close came to."""

    filled: int = 0
    """Orders that got at least one share."""
    prices: Mapping[str, int] = field(default_factory=dict)
    """The uniform price by artist, in units, where anything was filled."""


def clear_orders(
    connection: Connection, close: Close, listings: Mapping[str, Row[Any]]
) -> ClearedOrders:
    """Clear each artist's orders once; those of halted artists wait.

    Takes the listings with their new prices.
    """
    queued: dict[str, list[Row[Any]]] = defaultdict(list)
    for order in connection.execute(
        select(schema.orders)
        .where(_placed.state == "queued")
        .order_by(_placed.artist_id, _placed.placed_at, _placed.order_id)
    ):
        queued[order.artist_id].append(order)
    filled, prices = 0, {}
    for artist_id, waiting in sorted(queued.items()):
        listing = listings[artist_id]
        if not listing.is_listed or listing.is_halted or listing.is_suspended:
            continue
        cleared = _clear_artist(connection, close, listing, waiting)
        if cleared.fills:
            filled += len(cleared.fills)
            prices[artist_id] = pricing.floor(cleared.price)
    return ClearedOrders(filled, prices)


def _clear_artist(
    connection: Connection, close: Close, listing: Row[Any], waiting: Sequence[Row[Any]]
) -> Cleared:
    """Clear one artist's orders, write their trades, and end them."""
    curve = Curve(
        listing.fundamental_price_units,
        listing.depth_shares,
        pricing.displacement(listing.net_shares, listing.baseline_micros),
        pricing.impact_bound_micros(close.settings, listing.depth_shares),
    )
    own = _own_prices(connection, listing)
    bids = [
        bid
        for order in waiting
        if (bid := _bid(close, order, own.get(order.player_id, 0))) is not None
    ]
    cleared = auction.clear(bids, curve)
    orders.release(connection, waiting)
    # Sales first: what is sold takes its part of the basis as it was before the close.
    ended = [
        _fill(connection, close, order, cleared)
        for order in sorted(waiting, key=lambda order: order.side == "buy")
    ]
    connection.execute(
        update(schema.orders)
        .where(_placed.order_id == bindparam("which"))
        .values(
            state=bindparam("new_state"),
            reason=bindparam("new_reason"),
            filled_shares=bindparam("new_filled"),
            price_units=bindparam("new_price"),
            settled_date=close.day,
            ended_at=close.now,
        ),
        ended,
    )
    return cleared


def _own_prices(connection: Connection, listing: Row[Any]) -> dict[str, int]:
    """F·B/n of every holder, in units: what a share can be sold for at the most."""
    return {
        row.player_id: pricing.basis_value(
            listing.fundamental_price_units, row.basis_nanos, 1, row.shares
        )
        for row in connection.execute(
            select(_held.player_id, _held.shares, _held.basis_nanos).where(
                _held.artist_id == listing.artist_id, _held.shares > 0
            )
        )
    }


def _bid(close: Close, order: Row[Any], own_price: int) -> Bid | None:
    """An order as the auction sees it; none for a sale that cannot bring its limit."""
    limit = order.limit_units
    if order.side == "buy":
        limit = orders.payable_limit(
            order.reserved_units, order.shares, close.settings.base_fee_ppm
        )
    elif limit is not None and own_price < limit:
        return None
    return Bid(order.order_id, order.side, order.shares, limit)


def _fill(
    connection: Connection, close: Close, order: Row[Any], cleared: Cleared
) -> dict[str, Any]:
    """Write the trade of what an order got; tells how the order ended."""
    shares = cleared.fills.get(order.order_id, 0)
    price: int | None = None
    if shares:
        price = _trade(connection, close, order, shares, cleared) // shares
    is_whole = shares == order.shares
    return {
        "which": order.order_id,
        "new_state": "filled" if is_whole else "part_filled" if shares else "unfilled",
        "new_reason": None if is_whole else "limit_price",
        "new_filled": shares,
        "new_price": price,
    }


def _trade(
    connection: Connection,
    close: Close,
    order: Row[Any],
    shares: int,
    cleared: Cleared,
) -> int:
    """The trade at the uniform price; a sale brings no more than its basis."""
    listing = trading.read_listing(connection, order.artist_id)
    holding = trading.find_holding(connection, order.player_id, order.artist_id)
    value = pricing.value_at(cleared.price, shares if order.side == "buy" else -shares)
    if order.side == "sell":
        most = pricing.basis_value(
            listing.fundamental_price_units, holding.basis_nanos, shares, holding.shares
        )
        value = min(value, most)
    trading.execute(
        connection,
        order.player_id,
        listing,
        side=order.side,
        shares=shares,
        value_units=value,
        fee_units=trading.fee(order.side, value, close.settings.base_fee_ppm),
        kind="open",
        session=close.session,
        version=close.inputs.version,
        now=close.now,
        holding=holding,
        order_id=order.order_id,
    )
    return value
