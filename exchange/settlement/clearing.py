"""Orders for the open: one auction per artist, filled as far as players can honour.

Nothing was reserved when an order was placed, so the auction may fill more than a
player can deliver, pay or hold. `clear_honourable` cuts such orders and clears again;
it is pure. The rest reads orders and writes trades.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, update

from exchange import auction, pricing, schema, trading
from exchange.auction import Bid, Cleared, Curve
from exchange.settlement.contract import Close

_held = schema.holdings.c
_player = schema.players.c
_placed = schema.orders.c


@dataclass(frozen=True)
class ClearedOrders:
    """What the auctions of a close came to."""

    filled: int = 0
    """Orders that got at least one share."""
    prices: Mapping[str, int] = field(default_factory=dict)
    """The uniform price by artist, in units, where anything was filled."""


@dataclass(frozen=True)
class Trader:
    """What a player with an order can put behind it."""

    cash_units: int
    shares: int
    """Held of the artist that is cleared."""
    limit_units: int
    """What the holding may be worth after a purchase."""


@dataclass(frozen=True)
class Cut:
    """Why an order gets fewer shares than the auction gave, and how many it gets."""

    shares: int
    reason: str


@dataclass(frozen=True)
class Order:
    """A queued order, as the auction sees it."""

    bid: Bid
    player_id: str


@dataclass(frozen=True)
class Clearing:
    """An auction that every player can honour, and the reasons of what was cut."""

    cleared: Cleared
    reasons: Mapping[str, str]


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
        clearing = _clear_artist(connection, close, listing, waiting)
        # Sales first, so that what they bring can pay for what is bought.
        for order in sorted(waiting, key=lambda order: order.side == "buy"):
            _fill(connection, close, order, clearing)
        if clearing.cleared.fills:
            filled += len(clearing.cleared.fills)
            prices[artist_id] = pricing.floor(clearing.cleared.price)
    return ClearedOrders(filled, prices)


def _clear_artist(
    connection: Connection, close: Close, listing: Row[Any], waiting: list[Row[Any]]
) -> Clearing:
    curve = Curve(
        listing.fundamental_price_units,
        listing.depth_shares,
        pricing.displacement(listing.net_shares, listing.baseline_micros),
        pricing.impact_bound_micros(close.settings, listing.depth_shares),
    )
    return clear_honourable(
        [
            Order(
                Bid(order.order_id, order.side, order.shares, order.limit_units),
                order.player_id,
            )
            for order in waiting
        ],
        curve,
        {
            player_id: _trader(connection, close, player_id, listing.artist_id)
            for player_id in sorted({order.player_id for order in waiting})
        },
        close.settings.base_fee_ppm,
    )


def _trader(
    connection: Connection, close: Close, player_id: str, artist_id: str
) -> Trader:
    player = connection.execute(
        select(schema.players).where(_player.player_id == player_id)
    ).one()
    shares = connection.execute(
        select(_held.shares).where(
            _held.player_id == player_id, _held.artist_id == artist_id
        )
    ).scalar()
    worth = trading.net_worth(connection, player_id, player.cash_units)
    limit = trading.holding_limit(
        close.settings,
        worth,
        is_novice=trading.is_novice(close.settings, player, close.now),
    )
    return Trader(player.cash_units, shares or 0, limit)


def clear_honourable(
    orders: Sequence[Order],
    curve: Curve,
    traders: Mapping[str, Trader],
    fee_ppm: int,
) -> Clearing:
    """Clear the orders, given in order of arrival, so that all fills can be honoured.

    The last order to come gives way first, and only as far as it must: with fewer
    shares the price changes, and what can be paid with it. Pure.
    """
    allowed = {order.bid.order_id: order.bid.shares for order in orders}
    reasons: dict[str, str] = {}

    def attempt() -> tuple[Cleared, dict[str, Cut]]:
        bids = [
            Bid(bid.order_id, bid.side, allowed[bid.order_id], bid.limit_units)
            for bid in (order.bid for order in orders)
            if allowed[bid.order_id] > 0
        ]
        cleared = auction.clear(bids, curve)
        return cleared, _cuts(orders, curve, cleared, traders, fee_ppm)

    cleared, cuts = attempt()
    while cuts:
        order_id = max(cuts)
        low = cuts[order_id].shares
        reasons[order_id] = cuts[order_id].reason
        high = cleared.fills[order_id] - 1
        # Mostly the first cut is right: try one share more before halving the rest.
        middle = low + 1
        while low < high:
            allowed[order_id] = middle
            if order_id in attempt()[1]:
                high = middle - 1
            else:
                low = middle
            middle = (low + high + 1) // 2
        allowed[order_id] = low
        cleared, cuts = attempt()
    return Clearing(cleared, reasons)


def _cuts(
    orders: Sequence[Order],
    curve: Curve,
    cleared: Cleared,
    traders: Mapping[str, Trader],
    fee_ppm: int,
) -> dict[str, Cut]:
    """Fills that a player cannot deliver, pay or hold, and what is left of them."""
    cuts: dict[str, Cut] = {}
    cash = {player_id: trader.cash_units for player_id, trader in traders.items()}
    held = {player_id: trader.shares for player_id, trader in traders.items()}
    for order in orders:
        filled = cleared.fills.get(order.bid.order_id, 0)
        if order.bid.side == "buy" or not filled:
            continue
        possible = min(filled, held[order.player_id])
        if possible < filled:
            cuts[order.bid.order_id] = Cut(possible, "insufficient_shares")
        held[order.player_id] -= possible
        value = pricing.value_at(cleared.price, -possible)
        cash[order.player_id] += value - pricing.sale_fee_of(value, fee_ppm)
    price_after = curve.spot_after(cleared.net)
    for order in orders:
        filled = cleared.fills.get(order.bid.order_id, 0)
        if order.bid.side == "sell" or not filled:
            continue
        limit = traders[order.player_id].limit_units
        room = max(0, limit // price_after - held[order.player_id])
        payable = pricing.affordable(cash[order.player_id], cleared.price, fee_ppm)
        possible = min(filled, room, payable)
        if possible < filled:
            reason = "limit_reached" if room < payable else "insufficient_funds"
            cuts[order.bid.order_id] = Cut(possible, reason)
        value = pricing.value_at(cleared.price, possible)
        cash[order.player_id] -= value + pricing.fee_of(value, fee_ppm)
        held[order.player_id] += possible
    return cuts


def _fill(
    connection: Connection, close: Close, order: Row[Any], clearing: Clearing
) -> None:
    """Write what an order got: the trade, and how the order ended."""
    shares = clearing.cleared.fills.get(order.order_id, 0)
    price: int | None = None
    if shares:
        signed = shares if order.side == "buy" else -shares
        value = pricing.value_at(clearing.cleared.price, signed)
        price = value // shares
        _trade(connection, close, order, shares, value)
    is_whole = shares == order.shares
    state = "filled" if is_whole else "part_filled" if shares else "unfilled"
    reason = clearing.reasons.get(order.order_id, "limit_price")
    connection.execute(
        update(schema.orders)
        .where(_placed.order_id == order.order_id)
        .values(
            state=state,
            reason=None if is_whole else reason,
            filled_shares=shares,
            price_units=price,
            settled_date=close.day,
            ended_at=close.now,
        )
    )


def _trade(
    connection: Connection, close: Close, order: Row[Any], shares: int, value: int
) -> None:
    holding = connection.execute(
        select(_held.shares, _held.cost_units).where(
            _held.player_id == order.player_id, _held.artist_id == order.artist_id
        )
    ).first()
    trading.execute(
        connection,
        order.player_id,
        trading.read_listing(connection, order.artist_id),
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
