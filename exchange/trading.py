"""Buying and selling now: a quote, then a trade on it.

Owns the hot path. A trade locks the market (shared), the player and one listing, checks
everything, and only then writes. All amounts are integers; see `pricing` for rounding.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from exchange import ledger, market, pricing, quotes, schema
from exchange.clock import Clock, iso, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.prepared import Prepared
from exchange.quotes import Quote, Side
from exchange.settings import MICROS_PER_SHARE, ExchangeSettings

Listing = Any
TradeKind = Literal["now", "open", "delisted", "reset", "left"]

_listed = schema.listings.c
_held = schema.holdings.c
_listing = Prepared(
    select(schema.listings).where(_listed.artist_id == bindparam("artist_id"))
)
_locked_listing = Prepared(
    select(schema.listings)
    .where(_listed.artist_id == bindparam("artist_id"))
    .with_for_update()
)
_quoting_player = Prepared(
    select(schema.players).where(schema.players.c.player_id == bindparam("player_id"))
)
_holding = Prepared(
    select(_held.shares, _held.cost_units).where(
        _held.player_id == bindparam("player_id"),
        _held.artist_id == bindparam("artist_id"),
    )
)
_holdings_value = Prepared(
    select(
        func.coalesce(func.sum(_held.shares * _listed.price_units), 0).label("units")
    )
    .join(schema.listings, _listed.artist_id == _held.artist_id)
    .where(_held.player_id == bindparam("player_id"))
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
        house_cash_units=_listed.house_cash_units + bindparam("house"),
        fees_units=_listed.fees_units + bindparam("fees"),
        price_units=bindparam("price"),
        curve_version=_listed.curve_version + 1,
        session_trades=_listed.session_trades + 1,
        session_shares=_listed.session_shares + bindparam("traded"),
        traded_at=bindparam("now"),
    )
)
# Both databases say "on conflict" alike; the names of the classes differ.
_insert_trade = {
    name: Prepared(
        module.insert(schema.trades).on_conflict_do_nothing(
            index_elements=["quote_id"]
        ),
        schema.trades.c.keys(),
    )
    for name, module in (("sqlite", sqlite), ("postgresql", postgresql))
}


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
    state = market.read_state(connection)
    market.require_open(state)
    player = _quoting_player.first(connection, player_id=player_id)
    if player is None or player.left_at is not None:
        raise Refusal("unknown_player", "There is no such player.")
    listing = _listing.first(connection, artist_id=artist_id)
    require_tradable(listing, artist_id)
    assert listing is not None
    now = clock()
    signed = shares if side == "buy" else -shares
    before = pricing.displacement(listing.net_shares, listing.baseline_micros)
    value = pricing.value_of(
        listing.fundamental_price_units, listing.depth_shares, before, signed
    )
    rate = fee_rate(settings, state, listing, now)
    made = Quote(
        quote_id=new_id(now),
        player_id=player_id,
        artist_id=artist_id,
        side=side,
        shares=shares,
        value_units=value,
        fee_units=fee(side, value, rate),
        fee_ppm=rate,
        version=state.version or "",
        curve_version=listing.curve_version,
        openings=state.openings,
        expires_ms=quotes.milliseconds(now) + settings.quote_seconds * 1000,
    )
    _check_trade(connection, settings, player, listing, made, now)
    return {
        "quote": quotes.seal(made, key or market.quote_key(connection)),
        **_terms(made, listing),
        "expires_at": iso(made.expires_at),
        "expires_in_seconds": settings.quote_seconds,
    }


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
    """Execute a quote at its price, or refuse.

    The player says again what is meant (artist, side, shares), so that a quote cannot
    be used for anything else. When the curve has moved since the quote, it is honoured
    only where the house does not lose by it.
    """
    connection = request.connection
    market.require_open(request.market)
    used = quotes.unseal(quote_text, key or market.quote_key(connection))
    quotes.check_binding(used, request.player.player_id, artist_id, side, shares)
    now = clock()
    quotes.check_alive(used, now, request.market.openings)
    listing = _locked_listing.first(connection, artist_id=used.artist_id)
    try:
        require_tradable(listing, used.artist_id)
        assert listing is not None
        _check_price(settings, request.market, listing, used, now)
        holding = _check_trade(connection, settings, request.player, listing, used, now)
    except Refusal:
        # A used quote is refused by the unique key below; but when something else is
        # wrong with it by now, its first use is the reason to name.
        _refuse_if_used(connection, used)
        raise
    trade_id = execute(
        request.connection,
        request.player.player_id,
        listing,
        side=used.side,
        shares=used.shares,
        value_units=used.value_units,
        fee_units=used.fee_units,
        kind="now",
        session=request.market.session,
        version=request.market.version,
        now=now,
        holding=holding,
        quote_id=used.quote_id,
    )
    moved = used.total_units if used.side == "sell" else -used.total_units
    return {
        "trade_id": trade_id,
        **_terms(used, listing),
        "traded_at": iso(now),
        "cash_units": request.player.cash_units + moved,
        "holding_shares": (holding.shares if holding else 0)
        + (used.shares if used.side == "buy" else -used.shares),
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
    written = _insert_trade[connection.dialect.name].run(
        connection,
        trade_id=trade_id,
        player_id=player_id,
        artist_id=listing.artist_id,
        side=side,
        shares=shares,
        value_units=value_units,
        fee_units=fee_units,
        price_units=value_units // shares,
        kind=kind,
        quote_id=quote_id,
        order_id=order_id,
        version=version,
        session=session,
        traded_at=now,
    )
    if written != 1:
        raise Refusal("quote_used", "This quote has been used.")
    signed = shares if side == "buy" else -shares
    house = value_units if side == "buy" else -value_units
    ledger.record(
        connection,
        ledger.Entry(
            trade_id,
            f"trade:{kind}",
            session,
            now,
            trade_postings(player_id, listing.artist_id, signed, house, fee_units),
        ),
    )
    cost = value_units + fee_units
    if side == "sell":
        cost = (
            ledger.cost_of_sale(holding.shares, holding.cost_units, shares)
            if holding
            else 0
        )
    _change_cash.run(connection, who=player_id, amount=-house - fee_units)
    ledger.change_holding(connection, player_id, listing.artist_id, signed, cost, now)
    _move(connection, listing, signed, house, fee_units, now)
    return trade_id


def _move(
    connection: Connection,
    listing: Listing,
    shares: int,
    house_units: int,
    fee_units: int,
    now: datetime,
) -> None:
    """Move the curve by the shares bought (> 0) or sold (< 0), and book its money."""
    after = pricing.displacement(listing.net_shares + shares, listing.baseline_micros)
    _move_curve.run(
        connection,
        which=listing.artist_id,
        net=shares,
        house=house_units,
        fees=fee_units,
        price=pricing.spot(
            listing.fundamental_price_units, listing.depth_shares, after
        ),
        traded=abs(shares),
        now=now,
    )


def trade_postings(
    player_id: str, artist_id: str, shares: int, house_units: int, fee_units: int
) -> list[tuple[str, str, int]]:
    """The legs of a trade: money to house and fees, shares the other way."""
    player = ledger.player_account(player_id)
    house = ledger.house_account(artist_id)
    return [
        (player, ledger.CASH, -house_units - fee_units),
        (house, ledger.CASH, house_units),
        (ledger.fees_account(artist_id), ledger.CASH, fee_units),
        (house, artist_id, -shares),
        (player, artist_id, shares),
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
    settings: ExchangeSettings, state: market.Market, listing: Listing, now: datetime
) -> int:
    """Base fee plus the spread for prices that have grown old, in ppm."""
    seconds = 0
    if state.priced_at is not None:
        seconds = max(0, int((now - state.priced_at).total_seconds()))
    return settings.base_fee_ppm + pricing.spread_ppm(
        settings.staleness_z_milli, listing.sigma_ppm, seconds
    )


def fee(side: str, value_units: int, rate_ppm: int) -> int:
    if side == "buy":
        return pricing.fee_of(value_units, rate_ppm)
    return pricing.sale_fee_of(value_units, rate_ppm)


def is_novice(settings: ExchangeSettings, player: Any, now: datetime) -> bool:
    return bool((now - player.joined_at).days < settings.novice_days)


def net_worth(connection: Connection, player_id: str, cash_units: int) -> int:
    """Cash and holdings at the present prices, in units."""
    value = _holdings_value.first(connection, player_id=player_id)
    return cash_units + int(value.units)


def read_listing(connection: Connection, artist_id: str) -> Listing:
    """The listing of an artist that is known to have one."""
    listing = _listing.first(connection, artist_id=artist_id)
    assert listing is not None
    return listing


def _refuse_if_used(connection: Connection, used: Quote) -> None:
    if connection.execute(
        select(schema.trades.c.trade_id).where(
            schema.trades.c.quote_id == used.quote_id
        )
    ).first():
        raise Refusal("quote_used", "This quote has been used.")


def _check_price(
    settings: ExchangeSettings,
    state: market.Market,
    listing: Listing,
    used: Quote,
    now: datetime,
) -> None:
    """Honour the quoted price unless the house would lose by it.

    Price and fee are computed again: whoever has the key to sign with can buy nothing
    that is not for sale.
    """
    quoted_at = used.expires_at - timedelta(seconds=settings.quote_seconds)
    rate = fee_rate(settings, state, listing, quoted_at)
    signed = used.shares if used.side == "buy" else -used.shares
    value = pricing.value_of(
        listing.fundamental_price_units,
        listing.depth_shares,
        pricing.displacement(listing.net_shares, listing.baseline_micros),
        signed,
    )
    is_worse = value > used.value_units
    if used.side == "sell":
        is_worse = value < used.value_units
    is_worse |= used.fee_units < fee(used.side, used.value_units, rate)
    if is_worse or quoted_at > now:
        raise Refusal(
            "price_changed",
            "Somebody traded before you and the price has moved; ask for a new quote.",
        )


def _check_trade(
    connection: Connection,
    settings: ExchangeSettings,
    player: Any,
    listing: Listing,
    made: Quote,
    now: datetime,
) -> Any:
    """Funds, shares and limits; gives the holding as it is."""
    signed = made.shares if made.side == "buy" else -made.shares
    holding = _holding.first(
        connection, player_id=player.player_id, artist_id=listing.artist_id
    )
    held = holding.shares if holding else 0
    if made.side == "sell" and held < made.shares:
        raise Refusal(
            "insufficient_shares",
            f"You hold {held} shares of {listing.artist_name}.",
            holding_shares=held,
        )
    if made.side == "buy" and made.total_units > player.cash_units:
        raise Refusal(
            "insufficient_funds",
            "You do not have the cash for this.",
            cash_units=player.cash_units,
            # Far along the curve prices outgrow what an answer can hold.
            needed_units=min(made.total_units, 2**63 - 1),
        )
    novice = is_novice(settings, player, now)
    before = pricing.displacement(listing.net_shares, listing.baseline_micros)
    after = before + signed * MICROS_PER_SHARE
    if not pricing.is_within_impact(
        settings, listing.depth_shares, before, after, is_novice=novice
    ):
        raise Refusal(
            "limit_reached",
            f"{listing.artist_name} cannot be moved further today; place an order for"
            " the open instead.",
            limit="impact",
        )
    if made.side == "buy":
        after_price = pricing.spot(
            listing.fundamental_price_units, listing.depth_shares, after
        )
        check_concentration(
            settings,
            net_worth(connection, player.player_id, player.cash_units),
            (held + made.shares) * after_price,
            listing.artist_name,
            is_novice=novice,
        )
    return holding


def holding_limit(
    settings: ExchangeSettings, worth_units: int, *, is_novice: bool
) -> int:
    """What one holding may be worth at the time of buying, in units."""
    limit = worth_units * settings.holding_limit_pct // 100
    return limit // 2 if is_novice else limit


def check_concentration(
    settings: ExchangeSettings,
    worth_units: int,
    holding_units: int,
    artist_name: str,
    *,
    is_novice: bool,
) -> None:
    """One holding is at most a share of net worth at the time of buying."""
    limit = holding_limit(settings, worth_units, is_novice=is_novice)
    if holding_units > limit:
        raise Refusal(
            "limit_reached",
            f"Your holding of {artist_name} would be worth more than"
            f" {settings.holding_limit_pct // (2 if is_novice else 1)} % of what"
            " you own.",
            limit="holding",
            limit_units=limit,
            holding_units=holding_units,
        )


def _terms(made: Quote, listing: Listing) -> dict[str, Any]:
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
