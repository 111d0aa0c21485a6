"""Players: joining, settings, profile, starting again and leaving."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from exchange import (
    leagues,
    ledger,
    market,
    orders,
    schema,
    trading,
)
from exchange.boards import PRIVATE_NAME
from exchange.clock import Clock, iso, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.settings import ExchangeSettings
from warehouse.names import is_blank, name_key

_column = schema.players.c
#: A name that was chosen stays so long.
NAME_AGE = timedelta(days=7)
_DRAWN = re.compile(r"player-[0-9]+")


def find(connection: Connection, account_id: str) -> Row[Any] | None:
    """The player of an account of the read service, if it has become one."""
    return connection.execute(
        select(schema.players).where(_column.account_id == account_id)
    ).first()


@dataclass(frozen=True)
class Standing:
    """What last.fm says of an account; None where it is not known yet."""

    registered_date: date | None = None
    scrobbles: int | None = None


def join(
    connection: Connection,
    clock: Clock,
    settings: ExchangeSettings,
    account_id: str,
    listener_id: str | None = None,
    standing: Standing | None = None,
) -> str:
    """Make an account a player with its starting cash; gives the player's id.

    Safe to repeat: an account is one player. Refuses an account that is too young, that
    has too few scrobbles, or that has left a few days ago. The name is a drawn one:
    that of the account is nobody's business on the boards.
    """
    state = market.lock_shared(connection)
    existing = find(connection, account_id)
    if existing is not None:
        return str(existing.player_id)
    now = clock()
    _check_standing(settings, standing or Standing(), now)
    _check_departure(connection, settings, listener_id or account_id, now)
    player_id = new_id(now)
    name = _draw_name(connection)
    connection.execute(
        insert(schema.players).values(
            player_id=player_id,
            account_id=account_id,
            player_name=name,
            name_key=name,
            listener_id=listener_id,
            joined_at=now,
            base_units=settings.starting_cash_units,
            league_tier=0,
            cohort=leagues.cohort_for_newcomer(connection, settings),
        )
    )
    _grant(connection, clock, state, player_id, "start", settings.starting_cash_units)
    return player_id


def _check_standing(
    settings: ExchangeSettings, standing: Standing, now: datetime
) -> None:
    """Refuse an account of last.fm that is known to be too young or hardly used."""
    if standing.registered_date is not None:
        first = standing.registered_date + timedelta(days=settings.joining_days)
        if now.date() < first:
            raise Refusal(
                "account_too_new",
                f"The exchange is for last.fm accounts of at least"
                f" {settings.joining_days} days; yours can join from {first} on.",
                allowed_at=first.isoformat(),
            )
    if (
        standing.scrobbles is not None
        and standing.scrobbles < settings.joining_scrobbles
    ):
        raise Refusal(
            "account_too_new",
            f"The exchange is for last.fm accounts with at least"
            f" {settings.joining_scrobbles} scrobbles; yours had"
            f" {standing.scrobbles} when it was last read.",
            scrobbles=standing.scrobbles,
        )


def _account_hash(connection: Connection, key: str) -> str:
    """What is kept of an account that has left: nobody can tell whose it was."""
    secret = market.quote_key(connection)
    return hmac.new(secret, b"departure\n" + key.encode(), hashlib.sha256).hexdigest()


def _check_departure(
    connection: Connection, settings: ExchangeSettings, key: str, now: datetime
) -> None:
    """Refuse who has left a few days ago: leaving is no way to fresh money."""
    gone = schema.departures.c
    oldest = now - timedelta(days=settings.rejoin_days)
    connection.execute(delete(schema.departures).where(gone.left_at <= oldest))
    left_at = connection.execute(
        select(gone.left_at).where(gone.account_hash == _account_hash(connection, key))
    ).scalar()
    if left_at is not None:
        allowed = left_at + timedelta(days=settings.rejoin_days)
        raise Refusal(
            "rejoin_too_soon",
            "This account has left the exchange; it can join again from"
            f" {allowed:%Y-%m-%d %H:%M} UTC on.",
            allowed_at=iso(allowed),
        )


def reset(
    request: PlayerRequest, clock: Clock, settings: ExchangeSettings
) -> dict[str, Any]:
    """Start again, complete: everything sold, cash back to the start, a new life.

    What was held is sold along the curve and the proceeds go to the bank, so that a
    reset moves prices as any sale does and nobody gains by it.
    """
    market.require_open(request.market)
    now = clock()
    player = request.player
    last = player.reset_at or player.joined_at
    if player.reset_at is not None:
        allowed = last + timedelta(days=settings.reset_days)
        if now < allowed:
            raise Refusal(
                "reset_too_soon",
                f"You can start again once in {settings.reset_days} days: the next"
                f" time from {allowed:%Y-%m-%d %H:%M} UTC on.",
                allowed_at=iso(allowed),
            )
    connection = request.connection
    orders.cancel_all(connection, clock, player.player_id, "the player started again")
    liquidate(connection, clock, request.market, player.player_id, "reset")
    worth = _take_cash(connection, clock, request.market, player.player_id, "reset")
    _grant(
        connection,
        clock,
        request.market,
        player.player_id,
        "reset",
        settings.starting_cash_units,
    )
    connection.execute(
        update(schema.players)
        .where(_column.player_id == player.player_id)
        .values(
            life=player.life + 1,
            points=0,
            # The bad (or good) day so far stays in the boards of day to season.
            wealth_index=max(1, player.wealth_index * worth // player.base_units),
            base_units=settings.starting_cash_units,
            life_index=1_000_000_000,
            reset_at=now,
        )
    )
    return {
        "player_id": player.player_id,
        "life": player.life + 1,
        "cash_units": settings.starting_cash_units,
    }


def leave(request: PlayerRequest, clock: Clock) -> dict[str, Any]:
    """Delete the account: name and links go at once, the books stay.

    What was held is sold at once, or with the next close where the market is not open;
    the ledger keeps only an identifier nobody can lead back to a person. A hash of the
    account is kept for some days.
    """
    player = request.player
    player_id = player.player_id
    connection = request.connection
    now = clock()
    orders.cancel_all(connection, clock, player_id, "the player left")
    if request.market.state == "open":
        _cash_out(connection, clock, request.market, player_id)
    gone = _account_hash(connection, player.listener_id or player.account_id)
    connection.execute(
        delete(schema.departures).where(schema.departures.c.account_hash == gone)
    )
    connection.execute(insert(schema.departures).values(account_hash=gone, left_at=now))
    mine = select(schema.friend_leagues.c.league_id).where(
        schema.friend_leagues.c.owner_id == player_id
    )
    members = schema.friend_league_members
    connection.execute(
        delete(members).where(
            (members.c.player_id == player_id) | members.c.league_id.in_(mine)
        )
    )
    connection.execute(
        delete(schema.friend_leagues).where(
            schema.friend_leagues.c.owner_id == player_id
        )
    )
    connection.execute(
        delete(schema.board_rows).where(schema.board_rows.c.player_id == player_id)
    )
    connection.execute(
        update(schema.players)
        .where(_column.player_id == player_id)
        .values(
            account_id=None,
            player_name=None,
            name_key=None,
            named_at=None,
            listener_id=None,
            is_public=False,
            left_at=now,
        )
    )
    # They repeat names that the player chose; the trigger lets a leaver's go.
    connection.execute(
        delete(schema.answers).where(schema.answers.c.player_id == player_id)
    )
    return {"player_id": player_id, "state": "left"}


def liquidate_leavers(
    connection: Connection, clock: Clock, state: market.Market
) -> int:
    """Sell what those hold who left a closed market; part of every settlement."""
    gone: Iterable[str] = connection.execute(
        select(_column.player_id)
        .where(_column.left_at.is_not(None), _column.liquidated_at.is_(None))
        .order_by(_column.player_id)
    ).scalars()
    count = 0
    for player_id in list(gone):
        _cash_out(connection, clock, state, player_id)
        count += 1
    return count


def _cash_out(
    connection: Connection, clock: Clock, state: market.Market, player_id: str
) -> None:
    """Sell all that a leaver holds, and give the cash back to the bank."""
    liquidate(connection, clock, state, player_id, "left")
    _take_cash(connection, clock, state, player_id, "left")
    connection.execute(
        update(schema.players)
        .where(_column.player_id == player_id)
        .values(liquidated_at=clock())
    )


def liquidate(
    connection: Connection,
    clock: Clock,
    state: market.Market,
    player_id: str,
    kind: trading.TradeKind,
) -> None:
    """Sell all holdings of a player along the curve, without a fee."""
    held = connection.execute(
        select(schema.holdings)
        .where(schema.holdings.c.player_id == player_id, schema.holdings.c.shares > 0)
        # Always in this order: two at once must not wait for each other.
        .order_by(schema.holdings.c.artist_id)
    ).all()
    for holding in held:
        listing = connection.execute(
            select(schema.listings)
            .where(schema.listings.c.artist_id == holding.artist_id)
            .with_for_update()
        ).one()
        trading.execute(
            connection,
            player_id,
            listing,
            side="sell",
            shares=holding.shares,
            value_units=trading.value_of(listing, holding, "sell", holding.shares),
            fee_units=0,
            kind=kind,
            session=state.session,
            version=state.version,
            now=clock(),
            holding=holding,
        )


def change_settings(
    request: PlayerRequest,
    clock: Clock,
    *,
    name: str | None = None,
    is_public: bool | None = None,
    has_seen_tour: bool | None = None,
) -> dict[str, Any]:
    """Change what a player may choose; None leaves it."""
    changes: dict[str, Any] = {}
    if name is not None and name != request.player.player_name:
        changes |= _new_name(request, clock(), name)
    if is_public is not None:
        changes["is_public"] = is_public
    if has_seen_tour is not None:
        changes["has_seen_tour"] = has_seen_tour
    if changes:
        request.connection.execute(
            update(schema.players)
            .where(_column.player_id == request.player.player_id)
            .values(**changes)
        )
    return {
        "player_id": request.player.player_id,
        "player_name": changes.get("player_name", request.player.player_name),
        "is_public": changes.get("is_public", request.player.is_public),
        "has_seen_tour": changes.get("has_seen_tour", request.player.has_seen_tour),
        "has_chosen_name": bool(changes.get("named_at", request.player.named_at)),
    }


def _new_name(request: PlayerRequest, now: datetime, name: str) -> dict[str, Any]:
    """The columns of a name the player chooses, or a refusal with the reason."""
    player = request.player
    if player.named_at is not None and now < player.named_at + NAME_AGE:
        allowed = player.named_at + NAME_AGE
        raise Refusal(
            "name_too_soon",
            f"A name can be changed once in {NAME_AGE.days} days: yours from"
            f" {allowed:%Y-%m-%d %H:%M} UTC on.",
            allowed_at=iso(allowed),
        )
    cleaned = check_name(name)
    key = name_key(cleaned)
    if key == player.listener_id:
        raise Refusal(
            "invalid_request",
            "Choose another name than your last.fm name: everybody reads the boards.",
        )
    taken = request.connection.execute(
        select(_column.player_id).where(
            _column.name_key == key, _column.player_id != player.player_id
        )
    ).first()
    if taken is not None:
        raise Refusal("name_taken", f"The name {cleaned!r} is taken.")
    return {"player_name": cleaned, "name_key": key, "named_at": now}


def check_name(name: str) -> str:
    """A name people can read: 3 to 24 printable characters."""
    cleaned = " ".join(name.split())
    is_seen = cleaned.isprintable() and not is_blank(cleaned)
    if not 3 <= len(cleaned) <= 24 or not is_seen:
        raise Refusal("invalid_request", "A name has 3 to 24 printable characters.")
    if _DRAWN.fullmatch(name_key(cleaned)) or name_key(cleaned) == PRIVATE_NAME:
        raise Refusal(
            "invalid_request", f"A name like {cleaned!r} is given, not chosen."
        )
    return cleaned


def _draw_name(connection: Connection) -> str:
    """A neutral name nobody has, from more numbers than there are players."""
    players: int = connection.execute(
        select(func.count()).select_from(schema.players)
    ).scalar_one()
    while True:
        name = f"player-{1000 + secrets.randbelow(9000 + 10 * players)}"
        if not connection.execute(
            select(_column.player_id).where(_column.name_key == name)
        ).first():
            return name


def _grant(
    connection: Connection,
    clock: Clock,
    state: market.Market,
    player_id: str,
    kind: str,
    amount: int,
) -> None:
    now = clock()
    entry = ledger.Entry(new_id(now), f"grant:{kind}", state.session, now)
    entry.move(ledger.CASH, ledger.BANK, ledger.player_account(player_id), amount)
    ledger.post(connection, entry)


def _take_cash(
    connection: Connection,
    clock: Clock,
    state: market.Market,
    player_id: str,
    kind: str,
) -> int:
    """Give a player's cash back to the bank; tells how much it was."""
    cash: int = connection.execute(
        select(_column.cash_units).where(_column.player_id == player_id)
    ).scalar_one()
    if not cash:
        return 0
    now = clock()
    entry = ledger.Entry(new_id(now), f"return:{kind}", state.session, now)
    entry.move(ledger.CASH, ledger.player_account(player_id), ledger.BANK, cash)
    ledger.post(connection, entry)
    return int(cash)
