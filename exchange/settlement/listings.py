"""Listings at the close: new prices in, closing prices out, and the day's price rows.

An artist that is no longer listed is sold back here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from exchange import orders as open_orders
from exchange import pricing, schema, trading
from exchange.clock import days_before
from exchange.settings import ExchangeSettings
from exchange.settlement.clearing import ClearedOrders
from exchange.settlement.contract import ArtistValue, Close
from exchange.settlement.dividends import Dividends
from exchange.settlement.first_close import take_rises

_listed = schema.listings.c

Listings = Mapping[str, Row[Any]]
"""Rows of `listings` by artist, in the order of the artists' keys."""


def read_listings(connection: Connection) -> Listings:
    """All listings as they are now."""
    rows = connection.execute(select(schema.listings).order_by(_listed.artist_id))
    return {row.artist_id: row for row in rows}


def take_prices(connection: Connection, close: Close) -> Listings:
    """List, halt, delist, and set today's fundamental prices.

    Returns the listings with their new prices.
    """
    known = read_listings(connection)
    values = {value.artist_id: value for value in close.inputs.artists}
    new, changed, delisted = [], [], {}
    for value in values.values():
        row = known.get(value.artist_id)
        if row is None:
            if _has_price(value):
                new.append(_new_listing(close, value))
        elif row.is_listed and not value.is_listed and not value.is_halted:
            delisted[value.artist_id] = "delisted"
        elif _has_price(value):
            changed.append(_changed_listing(close.settings, row, value))
    merged = close.inputs.merged - values.keys()
    for artist_id, row in known.items():
        if row.is_listed and artist_id in merged:
            delisted[artist_id] = "merged with another artist"
    for artist_id, reason in delisted.items():
        _delist(connection, close, known[artist_id], reason)
    if new:
        connection.execute(insert(schema.listings), new)
    if changed:
        _update_listings(connection, changed)
    take_rises(
        connection,
        close,
        {
            one["which"]: (
                known[one["which"]].fundamental_price_units,
                one["new_fundamental"],
            )
            for one in changed
        },
    )
    _halt_without_value(
        connection,
        [
            artist_id
            for artist_id, row in known.items()
            if row.is_listed
            and artist_id not in delisted
            and _lacks_value(values.get(artist_id))
        ],
    )
    return read_listings(connection)


def _has_price(value: ArtistValue) -> bool:
    return value.is_listed and value.fundamental_price_units > 0


def _lacks_value(value: ArtistValue | None) -> bool:
    return value is None or (value.is_halted and not value.is_listed)


def _new_listing(close: Close, value: ArtistValue) -> dict[str, Any]:
    price = value.fundamental_price_units
    return {
        "artist_id": value.artist_id,
        "artist_name": value.artist_name,
        "top_tag": value.top_tag,
        "is_halted": value.is_halted,
        "halt_reason": value.halt_reason,
        "fundamental_price_units": price,
        "price_units": price,
        # As if it had closed yesterday: the first day's change is one, not nothing.
        "close_price_units": value.previous_price_units or price,
        "previous_close_units": value.previous_price_units or price,
        "depth_shares": pricing.depth_for(close.settings, price),
        "sigma_ppm": value.sigma_ppm,
        "surprise_milli": value.surprise_milli,
        "listeners": value.listeners,
        "listed_date": close.day,
    }


def _changed_listing(
    settings: ExchangeSettings, row: Row[Any], value: ArtistValue
) -> dict[str, Any]:
    returns = not row.is_listed
    price = value.fundamental_price_units
    baseline = 0 if returns else row.baseline_micros
    depth = pricing.depth_for(settings, price) if returns else row.depth_shares
    u = pricing.displacement(row.net_shares, baseline)
    return {
        "which": row.artist_id,
        "new_name": value.artist_name,
        "new_tag": value.top_tag,
        "new_is_halted": value.is_halted,
        "new_reason": value.halt_reason
        or (row.halt_reason if row.is_suspended else None),
        "new_fundamental": price,
        "new_price": pricing.spot(price, depth, u),
        "new_baseline": baseline,
        "new_depth": depth,
        "new_sigma": value.sigma_ppm,
        "new_surprise": value.surprise_milli,
        "new_listeners": value.listeners,
    }


def _update_listings(connection: Connection, changed: list[dict[str, Any]]) -> None:
    connection.execute(
        update(schema.listings)
        .where(_listed.artist_id == bindparam("which"))
        .values(
            is_listed=True,
            artist_name=bindparam("new_name"),
            top_tag=bindparam("new_tag"),
            is_halted=bindparam("new_is_halted"),
            halt_reason=bindparam("new_reason"),
            fundamental_price_units=bindparam("new_fundamental"),
            price_units=bindparam("new_price"),
            baseline_micros=bindparam("new_baseline"),
            depth_shares=bindparam("new_depth"),
            sigma_ppm=bindparam("new_sigma"),
            surprise_milli=bindparam("new_surprise"),
            listeners=bindparam("new_listeners"),
        ),
        changed,
    )


def _halt_without_value(connection: Connection, artist_ids: list[str]) -> None:
    """Halt listed artists of whom the marts have no value today."""
    if artist_ids:
        connection.execute(
            update(schema.listings)
            .where(_listed.artist_id == bindparam("which"))
            .values(is_halted=True, halt_reason="no value", surprise_milli=0),
            [{"which": artist_id} for artist_id in artist_ids],
        )


def _delist(
    connection: Connection, close: Close, listing: Row[Any], reason: str
) -> None:
    """Sell everybody back at the last price, the fundamental or the own, the least.

    Above the fundamental, the last price is what buyers alone have made of it.
    """
    price = min(listing.price_units, listing.fundamental_price_units)
    held, order = schema.holdings.c, schema.orders.c
    waiting = connection.execute(
        select(schema.orders).where(
            order.artist_id == listing.artist_id, order.state == "queued"
        )
    ).all()
    open_orders.end(connection, waiting, "cancelled", reason, close.now)
    holders: Sequence[Row[Any]] = connection.execute(
        select(schema.holdings)
        .where(held.artist_id == listing.artist_id, held.shares > 0)
        .order_by(held.player_id)
    ).all()
    for holding in holders:
        trading.execute(
            connection,
            holding.player_id,
            trading.read_listing(connection, listing.artist_id),
            side="sell",
            shares=holding.shares,
            value_units=min(
                price * holding.shares,
                pricing.basis_value(
                    listing.fundamental_price_units,
                    holding.basis_nanos,
                    holding.shares,
                    holding.shares,
                ),
            ),
            fee_units=0,
            kind="delisted",
            session=close.session,
            version=close.market.version,
            now=close.now,
            holding=holding,
        )
    connection.execute(
        update(schema.listings)
        .where(_listed.artist_id == listing.artist_id)
        .values(
            is_listed=False,
            is_halted=False,
            halt_reason=reason,
            price_units=price,
            surprise_milli=0,
            baseline_micros=0,
        )
    )


def close_prices(connection: Connection, close: Close, listings: Listings) -> Listings:
    """Let each baseline come nearer to the price, and fix the closing prices.

    Takes the listings after the last trade of the session; returns them as closed.
    """
    changes = []
    for row in listings.values():
        if not row.is_listed:
            continue
        baseline = pricing.decayed(close.settings, row.net_shares, row.baseline_micros)
        price = pricing.spot(
            row.fundamental_price_units,
            row.depth_shares,
            pricing.displacement(row.net_shares, baseline),
        )
        changes.append(
            {
                "which": row.artist_id,
                "new_baseline": baseline,
                "new_price": price,
                "new_previous": row.close_price_units,
            }
        )
    if changes:
        connection.execute(
            update(schema.listings)
            .where(_listed.artist_id == bindparam("which"))
            .values(
                baseline_micros=bindparam("new_baseline"),
                price_units=bindparam("new_price"),
                close_price_units=bindparam("new_price"),
                previous_close_units=bindparam("new_previous"),
            ),
            changes,
        )
    return read_listings(connection)


def write_prices(
    connection: Connection,
    close: Close,
    listings: Listings,
    orders: ClearedOrders,
    dividends: Dividends,
) -> Mapping[str, int]:
    """Write the day's row of every listed artist; returns the artists' points.

    Points are the surprise of two days ago, without its sign's losses and capped, in
    hundredths; none on a rolled day.
    """
    is_rolled = close.inputs.is_rolled
    points = {} if is_rolled else _points(connection, close)
    by_artist = dividends.by_artist()
    rows = [
        {
            "price_date": close.day,
            "artist_id": row.artist_id,
            "fundamental_price_units": row.fundamental_price_units,
            "close_price_units": row.price_units,
            "clearing_price_units": orders.prices.get(row.artist_id),
            "surprise_milli": 0 if is_rolled else row.surprise_milli,
            "points": points.get(row.artist_id, 0),
            "net_shares": row.net_shares,
            "baseline_micros": row.baseline_micros,
            "trades": row.session_trades,
            "shares_traded": row.session_shares,
            "dividend_units": by_artist.get(row.artist_id, 0),
            "is_listed": row.is_listed,
            "is_halted": row.is_halted or row.is_suspended,
        }
        for row in listings.values()
        if row.is_listed or row.session_trades
    ]
    if rows:
        connection.execute(insert(schema.prices), rows)
    return points


def _points(connection: Connection, close: Close) -> dict[str, int]:
    price = schema.prices.c
    cap = close.settings.dividend_surprise_cap_milli
    return {
        row.artist_id: max(0, min(row.surprise_milli, cap)) // 10
        for row in connection.execute(
            select(price.artist_id, price.surprise_milli).where(
                price.price_date == days_before(close.day, 2)
            )
        )
    }
