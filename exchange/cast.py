"""A cast of simulated players, for a market nobody has come to yet.

Only in the invented world of this machine, where everything else is invented too. They
queue orders for the open through the same use cases as people, have no account anybody
could log in to, and are marked as simulated wherever players are shown.
"""

import random
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from exchange import leagues, orders, player_request, players, schema, trading
from exchange.clock import Clock
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.settings import ExchangeSettings
from exchange.views import market as market_views
from exchange.views.market import ListName
from warehouse.names import name_key

_NAMES = (
    "Ada",
    "Boris",
    "Chiara",
    "Dov",
    "Edda",
    "Farid",
    "Gitte",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaya",
    "Liv",
)
PLAYERS = len(_NAMES)
#: What each looks at before buying, in turn.
_TASTES: tuple[ListName, ...] = ("popular", "risers", "fallers", "dearest")
_LEAGUE = "Simulated friends"
_CHOICES = 40
_held = schema.holdings.c


def play(
    connection: Connection,
    clock: Clock,
    settings: ExchangeSettings,
    day: date,
    size: int,
) -> None:
    """Queue what the cast wants at the close of a day; once, and the same each time."""
    for number in range(min(size, PLAYERS)):
        player_id = _join(connection, clock, settings, number)
        player_request.answer_once(
            connection,
            clock,
            player_id,
            f"simulated-{day}",
            {"operation": "simulated day"},
            partial(_play_one, clock, settings, day, number),
        )


def _play_one(
    clock: Clock,
    settings: ExchangeSettings,
    day: date,
    number: int,
    request: PlayerRequest,
) -> dict[str, Any]:
    chance = random.Random(f"{day}-{number}")
    if chance.random() < 0.3:
        _sell(request, clock, settings, chance)
    if chance.random() < 0.7:
        _buy(request, clock, settings, chance, _TASTES[number % len(_TASTES)])
    return {"day": day.isoformat()}


def _join(
    connection: Connection, clock: Clock, settings: ExchangeSettings, number: int
) -> str:
    """The player of this number, made at its first day; some are friends."""
    account_id = f"{leagues.SIMULATED}{number}"
    known = players.find(connection, account_id)
    if known is not None:
        return str(known.player_id)
    player_id = players.join(connection, clock, settings, account_id)
    name = f"Sim {_NAMES[number]}"
    connection.execute(
        update(schema.players)
        .where(schema.players.c.player_id == player_id)
        .values(player_name=name, name_key=name_key(name), named_at=clock())
    )
    request = player_request.lock(connection, player_id)
    code = leagues.simulated_code(connection)
    if code is None:
        leagues.found_friends_league(request, clock, _LEAGUE)
    elif number < PLAYERS // 2:
        leagues.join_friends_league(request, clock, code)
    return player_id


def _buy(
    request: PlayerRequest,
    clock: Clock,
    settings: ExchangeSettings,
    chance: random.Random,
    taste: ListName,
) -> None:
    connection, player = request.connection, request.player
    found = market_views.artist_list(connection, taste, limit=_CHOICES).artists
    tradable = [one for one in found if not one.is_halted]
    if not tradable:
        return
    artist = chance.choice(tradable)
    worth = trading.net_worth(connection, player.player_id, player.cash_units)
    shares = round(worth * chance.uniform(0.02, 0.07)) // artist.price_units
    _place(request, clock, settings, artist.artist_id, "buy", shares)


def _sell(
    request: PlayerRequest,
    clock: Clock,
    settings: ExchangeSettings,
    chance: random.Random,
) -> None:
    held = request.connection.execute(
        select(_held.artist_id, _held.shares)
        .where(_held.player_id == request.player.player_id, _held.shares > 0)
        .order_by(_held.artist_id)
    ).all()
    if held:
        row = chance.choice(held)
        _place(request, clock, settings, row.artist_id, "sell", -(-row.shares // 2))


def _place(
    request: PlayerRequest,
    clock: Clock,
    settings: ExchangeSettings,
    artist_id: str,
    side: str,
    shares: int,
) -> None:
    """Queue an order; who cannot afford it, or may not, has none that day."""
    try:
        orders.place(request, clock, settings, artist_id, side, shares)
    except Refusal:
        return
