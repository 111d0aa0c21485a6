"""What a trade would come to while its amount is still being chosen.

Reads only, signs nothing and promises nothing: the figures come from the functions that
quote and trade, so that what is shown while typing is what a quote would say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from exchange import market, orders, pricing, schema, trading
from exchange.clock import Clock
from exchange.errors import Refusal
from exchange.quotes import Side
from exchange.settings import PPM, ExchangeSettings

_FIRST_SHARES = 10
"""The amount a form begins with."""


@dataclass(frozen=True)
class Figures:
    """What an amount comes to; amounts of money in units."""

    mean_price_units: int
    value_units: int
    fee_units: int
    total_units: int
    """To be paid, or to be had."""
    price_after_units: int
    cost_ppm: int
    """Fee, spread and own impact together, over the price of the first share."""
    wealth_ppm: int
    """What the holding would be of the player's net worth afterwards."""


@dataclass(frozen=True)
class Ticket:
    """One side of a trade that is being thought of."""

    side: Side
    shares: int
    price_units: int
    """Of the first share; in a sale that is the holding's own price."""
    fee_ppm: int
    limit_pct: int
    """What a holding may be of net worth when buying."""
    largest_shares: int
    """The most that could be traded now."""
    figures: Figures | None
    """None where the amount is far beyond what the player has."""
    reserve_units: int
    """What an order for the open would set aside of the cash; nothing for a sale."""
    is_open_first: bool
    """Now is dear: an order for the open is the better offer."""
    refusal: str | None
    detail: str | None
    """Why this cannot be traded now."""


@dataclass(frozen=True)
class _Known:
    """What is read once, however many amounts are tried."""

    settings: ExchangeSettings
    state: market.Market
    player: Any
    listing: Any
    holding: Any
    worth_units: int
    now: datetime

    def terms(self, side: Side, shares: int) -> trading.Terms:
        """As a quote would have them; refuses what a quote would refuse."""
        trading.check_shares(self.settings, side, shares)
        terms = trading.make_terms(
            self.settings,
            self.state,
            self.player,
            self.listing,
            self.holding,
            side,
            shares,
            self.now,
        )
        trading.check_means(
            self.settings,
            self.player,
            self.listing,
            self.holding,
            terms,
            lambda: self.worth_units,
            self.now,
        )
        return terms


def tickets(
    connection: Connection,
    player_id: str,
    clock: Clock,
    settings: ExchangeSettings,
    artist_id: str,
    shares: int | None,
) -> tuple[Ticket, ...]:
    """To buy, and where the player holds the artist to sell.

    Args:
        shares: None asks for an amount to begin with: ten, or what is possible.
    """
    player = connection.execute(
        select(schema.players).where(schema.players.c.player_id == player_id)
    ).one()
    listing = connection.execute(
        select(schema.listings).where(schema.listings.c.artist_id == artist_id)
    ).first()
    if listing is None:
        raise Refusal("unknown_artist", f"Artist {artist_id!r} was never listed.")
    known = _Known(
        settings,
        market.read_state(connection),
        player,
        listing,
        trading.find_holding(connection, player_id, artist_id),
        trading.net_worth(connection, player_id, player.cash_units),
        clock(),
    )
    sides: list[Side] = ["buy"]
    if known.holding is not None and known.holding.shares > 0:
        sides.append("sell")
    most = [_largest(known, side) for side in sides]
    # What nobody has typed yet is an amount that no side refuses.
    possible = [largest for largest in most if largest > 0] or [1]
    amount = shares if shares is not None else min(_FIRST_SHARES, *possible)
    return tuple(
        _ticket(known, side, amount, largest)
        for side, largest in zip(sides, most, strict=True)
    )


def _ticket(known: _Known, side: Side, shares: int, largest: int) -> Ticket:
    settings, listing = known.settings, known.listing
    refusal = _refusal(known, side, shares)
    price = listing.price_units if side == "buy" else _own_price(known)
    rate = trading.fee_rate(settings, known.state, listing, side, known.now)
    figures = _figures(known, side, shares, price, rate)
    return Ticket(
        side=side,
        shares=shares,
        price_units=price,
        fee_ppm=rate,
        limit_pct=trading.holding_limit_pct(settings, known.player, known.now),
        largest_shares=largest,
        figures=figures,
        reserve_units=orders.cash_needed(settings, listing, shares, None)
        if side == "buy"
        else 0,
        is_open_first=figures is not None and figures.cost_ppm > settings.dear_ppm,
        refusal=refusal.code if refusal else None,
        detail=refusal.detail if refusal else None,
    )


def _figures(
    known: _Known, side: Side, shares: int, price_units: int, rate_ppm: int
) -> Figures | None:
    """Beyond what is held nothing can be sold; far beyond the cash, nothing told."""
    listing, holding = known.listing, known.holding
    held = holding.shares if holding is not None else 0
    asked = shares * listing.price_units
    if shares > held if side == "sell" else asked > 10 * known.worth_units:
        return None
    value = trading.value_of(listing, holding, side, shares)
    fee = trading.fee(side, value, rate_ppm)
    sign = 1 if side == "buy" else -1
    total = value + sign * fee
    at_price = max(1, shares * price_units)
    after = trading.price_after(listing, sign * shares)
    # As the limit of a holding has it: a purchase counts at the price it leaves.
    left = (held + sign * shares) * (after if side == "buy" else price_units)
    return Figures(
        mean_price_units=value // shares,
        value_units=value,
        fee_units=fee,
        total_units=total,
        price_after_units=after,
        cost_ppm=sign * (total - at_price) * PPM // at_price,
        wealth_ppm=left * PPM // max(1, known.worth_units),
    )


def _own_price(known: _Known) -> int:
    """What the first share of a sale would pay."""
    held = known.holding
    worth = pricing.holding_worth(
        held.shares,
        held.basis_nanos,
        known.listing.fundamental_price_units,
        known.listing.price_units,
    )
    return worth // int(held.shares)


def _refusal(known: _Known, side: Side, shares: int) -> Refusal | None:
    """Why a quote would be refused, if it would."""

    def ask() -> None:
        market.require_open(known.state)
        trading.require_tradable(known.listing, known.listing.artist_id)
        known.terms(side, shares)

    return _caught(ask)


def _caught(ask: Callable[[], object]) -> Refusal | None:
    try:
        ask()
    except Refusal as refusal:
        return refusal
    return None


def _largest(known: _Known, side: Side) -> int:
    """The most that could be traded, by halving: what fails, fails for more too."""
    if side == "sell":
        above = known.holding.shares - known.holding.reserved_shares
    else:
        free = known.player.cash_units - known.player.reserved_units
        above = free // known.listing.price_units
    above = min(above, known.settings.max_order_shares) + 1
    fits = 0
    while above - fits > 1:
        middle = (fits + above) // 2
        if _caught(partial(known.terms, side, middle)) is None:
            fits = middle
        else:
            above = middle
    return fits
