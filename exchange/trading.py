"""Buying and selling now: a quote, then a trade on it.

Owns the hot path. A trade locks the market (shared), the player and one listing, makes
the price from what is locked, checks everything, and only then writes. All amounts are
integers; see `pricing` for rounding and for what a sale pays.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from exchange import ledger, market, pricing, quotes, schema
from exchange.clock import Clock, iso, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.prepared import Prepared, Write, together
from exchange.quotes import Quote, Side
from exchange.settings import (
    MICROS_PER_SHARE,
    UNITS_PER_CREDIT,
    ExchangeSettings,
)

Listing = Any
Worth = Callable[[], int]
"""Tells a player's net worth in units; asked only where a limit goes by it."""
TradeKind = Literal["now", "open", "delisted", "reset", "left"]

_listed = schema.listings.c
_held = schema.holdings.c
_is_listing = _listed.artist_id == bindparam("artist_id")
_is_holding = and_(
    _held.player_id == bindparam("player_id"),
    _held.artist_id == bindparam("artist_id"),
)
_is_player = schema.players.c.player_id == bindparam("player_id")
_listing = Prepared(select(schema.listings).where(_is_listing))
#: What a quote goes by, in one statement: market, player, listing, holding.
_quoted = Prepared(
    select(
        *market.ROW.selected_columns, schema.players, schema.listings, schema.holdings
    ).select_from(
        market.ROW.get_final_froms()[0]
        .outerjoin(schema.players, _is_player)
        .outerjoin(schema.listings, _is_listing)
        .outerjoin(schema.holdings, _is_holding)
    ),
    parts=(
        market.COLUMNS,
        *(len(table.c) for table in (schema.players, schema.listings, schema.holdings)),
    ),
)


def traded(*, is_locked: bool = True) -> Prepared:
    """What a trade goes by: the listing, locked; the holding; the quote's first use."""
    used = schema.trades.c
    found = select(schema.listings, schema.holdings, used.trade_id).select_from(
        schema.listings.outerjoin(schema.holdings, _is_holding).outerjoin(
            schema.trades, used.quote_id == bindparam("quote_id")
        )
    )
    if is_locked:
        found = found.with_for_update(of=schema.listings)
    parts = (len(schema.listings.c), len(schema.holdings.c), 1)
    return Prepared(found.where(_is_listing), parts=parts)


_traded = traded()
_holding = Prepared(select(schema.holdings).where(_is_holding))
_holdings = Prepared(
    select(
        _held.shares,
        _held.basis_nanos,
        _listed.fundamental_price_units,
        _listed.price_units,
    )
    .join(schema.listings, _listed.artist_id == _held.artist_id)
    .where(_held.player_id == bindparam("player_id"), _held.shares > 0)
)
_change_cash = Prepared(
    update(schema.players)
    .where(schema.players.c.player_id == bindparam("who"))
    .values(cash_units=schema.players.c.cash_units + bindparam("amount"))
)
_move_curve = Prepared(
    update(schema.listings)
    .where(_listed.artist_id == bindparam("which"))
    .values(
        net_shares=_listed.net_shares + bindparam("net"),
        basis_nanos=_listed.basis_nanos + bindparam("basis"),
        house_cash_units=_listed.house_cash_units + bindparam("house"),
        fees_units=_listed.fees_units + bindparam("fees"),
        price_units=bindparam("price"),
        session_trades=_listed.session_trades + 1,
        session_shares=_listed.session_shares + bindparam("traded"),
        traded_at=bindparam("now"),
    )
)
_insert_trade = Prepared(insert(schema.trades), schema.trades.c.keys())


def quote(
    connection: Connection,
    clock: Clock,
    settings: ExchangeSettings,
    player_id: str,
    artist_id: str,
    side: Side,
    shares: int,
    *,
    key: bytes | None = None,
) -> dict[str, Any]:
    """What a trade would cost now, signed; reads only, holds nothing.

    Refuses what a trade would refuse.
    """
    check_shares(settings, side, shares)
    found = _quoted.first(connection, player_id=player_id, artist_id=artist_id)
    state, player, listing, holding = market.require_founded(found)
    market.require_open(state)
    if player is None or player.left_at is not None:
        raise Refusal("unknown_player", "There is no such player.")
    require_tradable(listing, artist_id)
    assert listing is not None
    now = clock()
    # A quote counts in milliseconds, and its spread must come out the same again.
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    terms = make_terms(settings, state, player, listing, holding, side, shares, now)
    worth = worth_of(connection, player)
    check_means(settings, player, listing, holding, terms, worth, now)
    made = Quote(
        quote_id=new_id(now),
        player_id=player_id,
        artist_id=artist_id,
        side=side,
        shares=shares,
        value_units=terms.value_units,
        fee_units=terms.fee_units,
        fee_ppm=terms.fee_ppm,
        version=state.version or "",
        openings=state.openings,
        expires_ms=quotes.milliseconds(now) + settings.quote_seconds * 1000,
    )
    return {
        "quote": quotes.seal(made, key or market.quote_key(connection)),
        **_told(made, listing),
        "expires_at": iso(made.expires_at),
        "expires_in_seconds": settings.quote_seconds,
    }


@dataclass(frozen=True)
class Terms:
    """What a trade comes to now, from the state of market, listing and holding."""

    side: Side
    shares: int
    value_units: int
    fee_units: int
    fee_ppm: int

    @property
    def total_units(self) -> int:
        """What the player pays (buy) or gets (sell), fee included."""
        sign = 1 if self.side == "buy" else -1
        return self.value_units + sign * self.fee_units

    def is_worse_than(self, agreed: Quote) -> bool:
        """Whether the player would pay more, or get less, than was agreed to."""
        if self.side == "buy":
            return self.total_units > agreed.total_units
        return self.total_units < agreed.total_units


def make_terms(
    settings: ExchangeSettings,
    state: market.Market,
    player: Any,
    listing: Listing,
    holding: Any,
    side: Side,
    shares: int,
    moment: datetime,
) -> Terms:
    """Make the price; refuses what the player does not have or nobody may move.

    Args:
        moment: when the quote was made; only a sale's spread goes by it.
    """
    if side == "sell":
        check_holding(listing, holding, shares)
    else:
        # At least this: further along the curve prices outgrow what can be told.
        check_cash(player, shares * listing.price_units)
    _check_impact(settings, listing, side, shares)
    value = value_of(listing, holding, side, shares)
    rate = fee_rate(settings, state, listing, side, moment)
    return Terms(side, shares, value, fee(side, value, rate), rate)


def value_of(listing: Listing, holding: Any, side: Side, shares: int) -> int:
    """What the curve asks, or a sale pays, in units before the fee.

    Args:
        holding: what a sale is out of, with its shares and basis.
    """
    u = pricing.displacement(listing.net_shares, listing.baseline_micros)
    where = (listing.fundamental_price_units, listing.depth_shares, u, shares)
    if side == "buy":
        return pricing.purchase_value(*where)
    return pricing.sale_value(*where, holding.shares, holding.basis_nanos)


def trade(
    request: PlayerRequest,
    clock: Clock,
    settings: ExchangeSettings,
    artist_id: str,
    side: str,
    shares: int,
    quote_text: str,
    *,
    key: bytes | None = None,
) -> dict[str, Any]:
    """Execute a quote, or refuse.

    The player says again what is meant (artist, side, shares), so that a quote cannot
    be used for anything else. The price is made again from what is now: where that is
    worse for the player than the quote, nothing is done.
    """
    connection, player = request.connection, request.player
    market.require_open(request.market)
    used = quotes.unseal(quote_text, key or market.quote_key(connection))
    quotes.check_binding(used, player.player_id, artist_id, side, shares)
    now = clock()
    made_at = quotes.check_alive(
        used, now, request.market.openings, settings.quote_seconds
    )
    found = _traded.first(
        connection,
        artist_id=used.artist_id,
        player_id=player.player_id,
        quote_id=used.quote_id,
    )
    listing, holding, first_use = found or (None,) * 3
    if first_use is not None:
        # Whatever else may be wrong with it by now, its first use is what to name.
        raise Refusal("quote_used", "This quote has been used.")
    require_tradable(listing, used.artist_id)
    assert listing is not None
    known = (settings, request.market, player, listing, holding)
    terms = make_terms(*known, used.side, used.shares, made_at)
    _check_agreed(terms, used)
    worth = worth_of(connection, player)
    check_means(settings, player, listing, holding, terms, worth, now)
    trade_id = execute(
        connection,
        player.player_id,
        listing,
        side=used.side,
        shares=used.shares,
        value_units=terms.value_units,
        fee_units=terms.fee_units,
        kind="now",
        session=request.market.session,
        version=request.market.version,
        now=now,
        holding=holding,
        quote_id=used.quote_id,
    )
    sign = 1 if used.side == "buy" else -1
    done = replace(used, value_units=terms.value_units, fee_units=terms.fee_units)
    return {
        "trade_id": trade_id,
        **_told(done, listing),
        "traded_at": iso(now),
        "cash_units": player.cash_units - sign * terms.total_units,
        "holding_shares": (holding.shares if holding else 0) + sign * used.shares,
    }


def execute(
    connection: Connection,
    player_id: str,
    listing: Listing,
    *,
    side: Side,
    shares: int,
    value_units: int,
    fee_units: int,
    kind: TradeKind,
    session: int,
    version: str | None,
    now: datetime,
    holding: Any,
    quote_id: str | None = None,
    order_id: str | None = None,
) -> str:
    """Write one trade: its row, its postings, every balance it moves.

    The listing must be locked and as given. Gives the trade's identifier.
    """
    trade_id = new_id(now)
    sign = 1 if side == "buy" else -1
    signed, house = sign * shares, sign * value_units
    known = (player_id, listing, holding, signed, value_units, fee_units, kind, now)
    basis, change_holding = _changed_holding(connection, *known)
    legs = trade_postings(player_id, listing.artist_id, signed, basis, house, fee_units)
    entry = ledger.Entry(trade_id, f"trade:{kind}", session, now, legs)
    together(
        connection,
        (
            _insert_trade,
            {
                "trade_id": trade_id,
                "player_id": player_id,
                "artist_id": listing.artist_id,
                "side": side,
                "shares": shares,
                "value_units": value_units,
                "fee_units": fee_units,
                "price_units": value_units // shares,
                "kind": kind,
                "quote_id": quote_id,
                "order_id": order_id,
                "version": version,
                "session": session,
                "traded_at": now,
            },
        ),
        change_holding,
        *ledger.recording(entry),
        (_change_cash, {"who": player_id, "amount": -house - fee_units}),
        (
            _move_curve,
            {
                "which": listing.artist_id,
                "net": signed,
                "basis": basis,
                "house": house,
                "fees": fee_units,
                "price": price_after(listing, signed),
                "traded": shares,
                "now": now,
            },
        ),
    )
    return trade_id


def _changed_holding(
    connection: Connection,
    player_id: str,
    listing: Listing,
    holding: Any,
    shares: int,
    value_units: int,
    fee_units: int,
    kind: TradeKind,
    now: datetime,
) -> tuple[int, Write]:
    """What adds bought shares to a holding, or takes away what was sold (< 0).

    Gives the basis that comes, or goes (< 0), and the statement.
    """
    if shares < 0:
        sold = ledger.part_sold(holding, -shares)
        return -sold.basis_nanos, ledger.taking_shares(
            player_id, listing.artist_id, -shares, sold
        )
    basis = pricing.basis_bought(value_units, listing.fundamental_price_units)
    return basis, ledger.adding_shares(
        connection,
        player_id=player_id,
        artist_id=listing.artist_id,
        shares=shares,
        cost_units=value_units + fee_units,
        basis_nanos=basis,
        session_basis_nanos=basis if kind == "now" else 0,
        held_since=now,
    )


def trade_postings(
    player_id: str,
    artist_id: str,
    shares: int,
    basis_nanos: int,
    house_units: int,
    fee_units: int,
) -> list[tuple[str, str, int]]:
    """The legs of a trade: money to house and fees, shares and basis the other way."""
    player = ledger.player_account(player_id)
    house = ledger.house_account(artist_id)
    basis = ledger.basis_asset(artist_id)
    return [
        (player, ledger.CASH, -house_units - fee_units),
        (house, ledger.CASH, house_units),
        (ledger.fees_account(artist_id), ledger.CASH, fee_units),
        (house, artist_id, -shares),
        (player, artist_id, shares),
        (house, basis, -basis_nanos),
        (player, basis, basis_nanos),
    ]


def check_shares(settings: ExchangeSettings, side: str, shares: int) -> None:
    """Refuse another side than buy or sell, and a number of shares out of range."""
    if side not in ("buy", "sell"):
        raise Refusal("invalid_request", "side must be buy or sell")
    if not 0 < shares <= settings.max_order_shares:
        raise Refusal(
            "invalid_request",
            f"shares must be from 1 to {settings.max_order_shares}",
        )


def require_tradable(listing: Listing | None, artist_id: str) -> None:
    """Refuse an artist who is unknown, not listed, or halted."""
    if listing is None:
        raise Refusal("unknown_artist", f"Artist {artist_id!r} was never listed.")
    if not listing.is_listed:
        raise Refusal("artist_not_listed", f"{listing.artist_name} is not listed.")
    if listing.is_halted or listing.is_suspended:
        raise Refusal(
            "artist_halted",
            f"Trading in {listing.artist_name} is halted.",
            reason=listing.halt_reason,
        )


def fee_rate(
    settings: ExchangeSettings,
    state: market.Market,
    listing: Listing,
    side: str,
    now: datetime,
) -> int:
    """Base fee, plus the spread of an ageing price on a sale, in ppm.

    A purchase needs none: what is bought now has no part in the coming close's rise.
    """
    if side == "buy" or state.priced_at is None:
        return settings.base_fee_ppm
    seconds = max(0, int((now - state.priced_at).total_seconds()))
    return settings.base_fee_ppm + pricing.spread_ppm(
        settings.staleness_z_milli, listing.sigma_ppm, seconds
    )


def fee(side: str, value_units: int, rate_ppm: int) -> int:
    if side == "buy":
        return pricing.fee_of(value_units, rate_ppm)
    return pricing.sale_fee_of(value_units, rate_ppm)


def net_worth(connection: Connection, player_id: str, cash_units: int) -> int:
    """Cash, and holdings at their own prices, in units."""
    return cash_units + sum(
        pricing.holding_worth(*row)
        for row in _holdings.all(connection, player_id=player_id)
    )


def find_holding(connection: Connection, player_id: str, artist_id: str) -> Any:
    """What a player holds of an artist; None for nothing ever."""
    return _holding.first(connection, player_id=player_id, artist_id=artist_id)


def read_listing(connection: Connection, artist_id: str) -> Listing:
    """The listing of an artist that is known to have one."""
    listing = _listing.first(connection, artist_id=artist_id)
    assert listing is not None
    return listing


def _check_agreed(terms: Terms, agreed: Quote) -> None:
    """Refuse a trade that has become worse for the player than the quote."""
    if terms.is_worse_than(agreed):
        raise Refusal(
            "price_changed",
            "The price has moved since the quote: it would now be"
            f" {_credits(terms.total_units)} credits; ask for a new quote.",
            total_units=terms.total_units,
        )


def _credits(units: int) -> str:
    return f"{units // UNITS_PER_CREDIT}.{units % UNITS_PER_CREDIT // 100:02}"


def check_holding(listing: Listing, holding: Any, shares: int) -> None:
    """Refuse to sell more than is held and not promised to an order that waits."""
    held = holding.shares if holding else 0
    reserved = holding.reserved_shares if holding else 0
    if held - reserved < shares:
        raise Refusal(
            "insufficient_shares",
            f"You hold {held} shares of {listing.artist_name}"
            + (f", {reserved} of them in orders that wait." if reserved else "."),
            holding_shares=held,
            reserved_shares=reserved,
        )


def check_cash(player: Any, needed_units: int) -> None:
    """Refuse to spend more than there is and not set aside for an order that waits."""
    free = player.cash_units - player.reserved_units
    if needed_units > free:
        raise Refusal(
            "insufficient_funds",
            "You do not have the cash for this"
            + (
                ": part of it is set aside for orders."
                if player.reserved_units
                else "."
            ),
            cash_units=player.cash_units,
            reserved_units=player.reserved_units,
            # Far along the curve prices outgrow what an answer can hold.
            needed_units=min(needed_units, 2**63 - 1),
        )


def _check_impact(
    settings: ExchangeSettings, listing: Listing, side: str, shares: int
) -> None:
    before = pricing.displacement(listing.net_shares, listing.baseline_micros)
    after = before + (shares if side == "buy" else -shares) * MICROS_PER_SHARE
    if not pricing.is_within_impact(settings, listing.depth_shares, before, after):
        raise Refusal(
            "limit_reached",
            f"{listing.artist_name} cannot be moved further today; place an order for"
            " the open instead.",
            limit="impact",
        )


def worth_of(connection: Connection, player: Any) -> Worth:
    """What tells the net worth of a player whose row has been read."""
    return partial(net_worth, connection, player.player_id, player.cash_units)


def check_means(
    settings: ExchangeSettings,
    player: Any,
    listing: Listing,
    holding: Any,
    terms: Terms,
    worth: Worth,
    now: datetime,
) -> None:
    """The cash for a purchase, and the limit of a holding; a sale needs neither."""
    if terms.side == "sell":
        return
    check_cash(player, terms.total_units)
    held = holding.shares if holding else 0
    price = price_after(listing, terms.shares)
    check_concentration(
        settings, player, listing, (held + terms.shares) * price, worth, now
    )


def price_after(listing: Listing, shares: int) -> int:
    """The curve's price once so many shares are bought (> 0) or sold (< 0)."""
    return pricing.spot(
        listing.fundamental_price_units,
        listing.depth_shares,
        pricing.displacement(listing.net_shares + shares, listing.baseline_micros),
    )


def holding_limit_pct(settings: ExchangeSettings, player: Any, now: datetime) -> int:
    """What one holding may be of a player's net worth when buying, in percent."""
    if (now - player.joined_at).days < settings.novice_days:
        return settings.holding_limit_pct // 2
    return settings.holding_limit_pct


def check_concentration(
    settings: ExchangeSettings,
    player: Any,
    listing: Listing,
    holding_units: int,
    worth: Worth,
    now: datetime,
) -> None:
    """One holding is at most a share of net worth at the time of buying."""
    pct = holding_limit_pct(settings, player, now)
    # Who could do it with the cash alone need not have every holding reckoned up.
    if holding_units <= player.cash_units * pct // 100:
        return
    limit = worth() * pct // 100
    if holding_units > limit:
        raise Refusal(
            "limit_reached",
            f"Your holding of {listing.artist_name} would be worth more than {pct} %"
            " of what you own.",
            limit="holding",
            limit_units=limit,
            holding_units=holding_units,
        )


def _told(made: Quote, listing: Listing) -> dict[str, Any]:
    return {
        "artist_id": made.artist_id,
        "artist_name": listing.artist_name,
        "side": made.side,
        "shares": made.shares,
        "value_units": made.value_units,
        "fee_units": made.fee_units,
        "fee_ppm": made.fee_ppm,
        "total_units": made.total_units,
        "price_units": made.value_units // made.shares,
        "prices_version": made.version,
    }
