"""Orders for the open: queued now, cleared once at the next close.

An order sets aside what it may need: cash at its limit, with the fee, or its shares. So
every order that is filled can be paid and delivered, whatever the others do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from exchange import pricing, schema, trading
from exchange.clock import Clock, iso, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.settings import PPM, ExchangeSettings

_placed = schema.orders.c


def place(
    request: PlayerRequest,
    clock: Clock,
    settings: ExchangeSettings,
    artist_id: str,
    side: str,
    shares: int,
    limit_units: int | None = None,
) -> dict[str, Any]:
    """Queue an order; the market may be closed and the artist halted.

    A purchase without a limit may cost a set share more than the price now.
    """
    trading.check_shares(settings, side, shares)
    if limit_units is not None and not 0 < limit_units < 2**53:
        raise Refusal("invalid_request", "limit_units must be positive")
    connection = request.connection
    player_id = request.player.player_id
    listing = connection.execute(
        select(schema.listings).where(schema.listings.c.artist_id == artist_id)
    ).first()
    if listing is None:
        raise Refusal("unknown_artist", f"Artist {artist_id!r} was never listed.")
    if not listing.is_listed:
        raise Refusal("artist_not_listed", f"{listing.artist_name} is not listed.")
    _check_queue(connection, settings, player_id)
    now = clock()
    reserved = 0
    if side == "sell":
        holding = trading.find_holding(connection, player_id, artist_id)
        trading.check_holding(listing, holding, shares)
    else:
        reserved = cash_needed(settings, listing, shares, limit_units)
        trading.check_cash(request.player, reserved)
        _check_concentration(request, settings, listing, shares, now)
    order_id = new_id(now)
    connection.execute(
        insert(schema.orders).values(
            order_id=order_id,
            player_id=player_id,
            artist_id=artist_id,
            side=side,
            shares=shares,
            limit_units=limit_units,
            reserved_units=reserved,
            state="queued",
            placed_at=now,
        )
    )
    set_aside = Reserve(player_id, artist_id, reserved, shares if side == "sell" else 0)
    _reserve(connection, [set_aside])
    return {
        "order_id": order_id,
        "artist_id": artist_id,
        "artist_name": listing.artist_name,
        "side": side,
        "shares": shares,
        "limit_units": limit_units,
        "reserved_units": reserved,
        "state": "queued",
        "placed_at": iso(now),
    }


@dataclass(frozen=True)
class Reserve:
    """What an order has set aside of its player's cash and shares."""

    player_id: str
    artist_id: str
    units: int
    shares: int


def cash_needed(
    settings: ExchangeSettings, listing: Row[Any], shares: int, limit_units: int | None
) -> int:
    """The most that an order to buy can cost, with the fee."""
    price = limit_units
    if price is None:
        price = -(-listing.price_units * (100 + settings.open_reserve_pct) // 100)
    value = shares * price
    return value + pricing.fee_of(value, settings.base_fee_ppm)


def payable_limit(reserved_units: int, shares: int, fee_ppm: int) -> int:
    """The highest uniform price, in units, at which the cash set aside pays it all."""
    return reserved_units * PPM // (shares * (PPM + fee_ppm))


def _reserve(connection: Connection, reserves: Sequence[Reserve]) -> None:
    """Set aside; negative amounts give back."""
    units = [{"who": one.player_id, "n": one.units} for one in reserves if one.units]
    if units:
        connection.execute(_reserve_cash, units)
    shares = [
        {"who": one.player_id, "which": one.artist_id, "n": one.shares}
        for one in reserves
        if one.shares
    ]
    if shares:
        connection.execute(_reserve_shares, shares)


def release(connection: Connection, orders: Sequence[Row[Any]]) -> None:
    """Give back what orders had set aside: they are about to end."""
    _reserve(
        connection,
        [
            Reserve(
                order.player_id,
                order.artist_id,
                -order.reserved_units,
                -order.shares if order.side == "sell" else 0,
            )
            for order in orders
        ],
    )


_player, _held = schema.players.c, schema.holdings.c
_reserve_cash = (
    update(schema.players)
    .where(_player.player_id == bindparam("who"))
    .values(reserved_units=_player.reserved_units + bindparam("n"))
)
_reserve_shares = (
    update(schema.holdings)
    .where(_held.player_id == bindparam("who"), _held.artist_id == bindparam("which"))
    .values(reserved_shares=_held.reserved_shares + bindparam("n"))
)


def _check_concentration(
    request: PlayerRequest,
    settings: ExchangeSettings,
    listing: Row[Any],
    shares: int,
    now: datetime,
) -> None:
    """The holding as it would be with every order of it that waits."""
    connection, player = request.connection, request.player
    holding = trading.find_holding(connection, player.player_id, listing.artist_id)
    waiting: int = connection.execute(
        select(func.coalesce(func.sum(_placed.shares), 0)).where(
            _placed.player_id == player.player_id,
            _placed.artist_id == listing.artist_id,
            _placed.state == "queued",
            _placed.side == "buy",
        )
    ).scalar_one()
    total = (holding.shares if holding else 0) + int(waiting) + shares
    worth = trading.worth_of(connection, player)
    trading.check_concentration(
        settings, player, listing, total * listing.price_units, worth, now
    )


def _check_queue(
    connection: Connection, settings: ExchangeSettings, player_id: str
) -> None:
    """Refuse when a player has as many orders waiting as are allowed."""
    queued = connection.execute(
        select(func.count()).where(
            _placed.player_id == player_id, _placed.state == "queued"
        )
    ).scalar_one()
    if queued >= settings.max_queued_orders:
        raise Refusal(
            "limit_reached",
            f"You have {queued} orders waiting; cancel one first.",
            limit="orders",
        )


def cancel(request: PlayerRequest, clock: Clock, order_id: str) -> dict[str, Any]:
    """Take a queued order back; at any time before it is cleared."""
    order = request.connection.execute(
        select(schema.orders)
        .where(
            _placed.order_id == order_id, _placed.player_id == request.player.player_id
        )
        .with_for_update()
    ).first()
    if order is None:
        raise Refusal("unknown_order", "You have no such order.")
    if order.state != "queued":
        raise Refusal(
            "order_not_queued", f"The order is {order.state}.", state=order.state
        )
    end(request.connection, [order], "cancelled", "by the player", clock())
    return {"order_id": order_id, "state": "cancelled"}


def cancel_all(
    connection: Connection, clock: Clock, player_id: str, reason: str
) -> None:
    waiting = connection.execute(
        select(schema.orders).where(
            _placed.player_id == player_id, _placed.state == "queued"
        )
    ).all()
    end(connection, waiting, "cancelled", reason, clock())


def end(
    connection: Connection,
    orders: Sequence[Row[Any]],
    state: str,
    reason: str,
    now: datetime,
) -> None:
    """End orders that wait without a fill, and give back what they had set aside."""
    if not orders:
        return
    release(connection, orders)
    connection.execute(
        update(schema.orders)
        .where(_placed.order_id == bindparam("which"))
        .values(state=state, reason=reason, ended_at=now),
        [{"which": order.order_id} for order in orders],
    )
