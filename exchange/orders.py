"""Orders for the open: queued now, cleared once at the next close."""

from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from exchange import schema, trading
from exchange.clock import Clock, iso, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.settings import ExchangeSettings

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

    Nothing is reserved: what cannot be paid or delivered at the close is filled in
    part or not at all, and says so.
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
    if side == "sell":
        _check_holding(connection, player_id, listing, shares)
    now = clock()
    order_id = new_id(now)
    connection.execute(
        insert(schema.orders).values(
            order_id=order_id,
            player_id=player_id,
            artist_id=artist_id,
            side=side,
            shares=shares,
            limit_units=limit_units,
            state="queued",
            placed_at=now,
        )
    )
    return {
        "order_id": order_id,
        "artist_id": artist_id,
        "artist_name": listing.artist_name,
        "side": side,
        "shares": shares,
        "limit_units": limit_units,
        "state": "queued",
        "placed_at": iso(now),
    }


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


def _check_holding(
    connection: Connection, player_id: str, listing: Row[Any], shares: int
) -> None:
    """Refuse to sell more shares than a player has."""
    held = schema.holdings.c
    holding = connection.execute(
        select(held.shares).where(
            held.player_id == player_id, held.artist_id == listing.artist_id
        )
    ).scalar()
    if (holding or 0) < shares:
        raise Refusal(
            "insufficient_shares",
            f"You hold {holding or 0} shares of {listing.artist_name}.",
            holding_shares=holding or 0,
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
    request.connection.execute(
        update(schema.orders)
        .where(_placed.order_id == order_id)
        .values(state="cancelled", reason="by the player", ended_at=clock())
    )
    return {"order_id": order_id, "state": "cancelled"}


def cancel_all(
    connection: Connection, clock: Clock, player_id: str, reason: str
) -> None:
    connection.execute(
        update(schema.orders)
        .where(_placed.player_id == player_id, _placed.state == "queued")
        .values(state="cancelled", reason=reason, ended_at=clock())
    )
