"""Players of the simulator who try every way of cheating, and those who foresee.

Each is a function of the year and the player, called once a day before the close. A
scheme has a head, whose return counts, and helpers, whose accounts cost it nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import mean
from typing import Any, TypeAlias

from exchange.settings import PPM

# Those of `simulator`, which imports this module.
Year: TypeAlias = Any
SimPlayer: TypeAlias = Any
SimArtist: TypeAlias = Any
Act = Callable[[Year, SimPlayer], None]
Column = Callable[[Year, SimArtist], float]

_HELPERS = 10
_TURN = 20
"""Days of one turn of a scheme, after which it chooses another artist."""


def _target(year: Year) -> SimArtist:
    """The artist that a scheme works on now, of a middling price."""
    return year.listed[(len(year.listed) // 2 + year.day // _TURN) % len(year.listed)]


def _buy_most(year: Year, player: SimPlayer, artist: SimArtist) -> None:
    """As much as the limit of a holding lets through, and then a little less."""
    for part in (5, 6, 8, 11, 13):
        if year.buy_for(player, artist, year.worth(player) // part, 1):
            return


def rejoin(year: Year, player: SimPlayer) -> None:
    """The helpers push after the head has bought, leave, and join again with 20,000."""
    artist, phase = _target(year), year.day % _TURN
    if not player.is_helper:
        if phase % 10 == 0:
            _buy_most(year, player, artist)
        elif phase % 10 == 2:
            year.sell_all(player, artist, 1)
    elif phase % 10 == 1:
        _buy_most(year, player, artist)
    elif phase % 10 == 3:
        year.leave(player)


def feed(year: Year, player: SimPlayer) -> None:
    """Ten accounts buy on top of the head, who sells to the curve they have pushed."""
    artist, phase = _target(year), year.day % _TURN
    if (phase == 0 and not player.is_helper) or (phase == 1 and player.is_helper):
        _buy_most(year, player, artist)
    elif (phase == 2 and not player.is_helper) or phase == _TURN - 1:
        year.sell_all(player, artist, 1)


def pump(year: Year, player: SimPlayer) -> None:
    """Buys in the last hour, pushes the close with it, and sells in the first."""
    artist = _target(year)
    year.sell_all(player, artist, 0.1)
    for part in (5, 11):
        year.buy_for(player, artist, year.worth(player) // part, 23)


def dump(year: Year, player: SimPlayer) -> None:
    """The helpers push, wait, and sell all at once; the head buys below F and waits."""
    artist, phase = _target(year), year.day % _TURN
    if player.is_helper:
        if phase == 0:
            _buy_most(year, player, artist)
        elif phase == 12:
            year.sell_all(player, artist, 1)
    elif phase == 13:
        _buy_most(year, player, artist)
    elif phase == _TURN - 1:
        year.sell_all(player, artist, 1)


def own_orders(year: Year, player: SimPlayer) -> None:
    """The head sells at the open into the orders of its helpers."""
    artist, phase = _target(year), year.day % _TURN
    if phase == 0 and not player.is_helper:
        _buy_most(year, player, artist)
    elif phase == 3 and player.is_helper:
        shares = year.worth(player) // 12 // artist.price_units
        year.order(player, artist, "buy", shares)
    elif phase == 3:
        year.order(player, artist, "sell", player.shares.get(artist.artist_id, 0))
    elif phase == _TURN - 1:
        year.sell_all(player, artist, 1)


def dodger(year: Year, player: SimPlayer) -> None:
    """Holds twenty, knows the next close, and is out where it falls beyond the fees."""
    forecast = year.forecast(23 / 24)
    for artist in year.listed[:20]:
        key = artist.artist_id
        change = forecast[key] / artist.value - 1
        if key in player.shares:
            if (
                -change
                > (year.rate(artist, "sell", 23) + year.rate(artist, "buy", 23)) / PPM
            ):
                year.sell_all(player, artist, 23)
        elif change > -0.005:
            year.buy_for(player, artist, year.worth(player) // 22, 23)


def _by(column: Column) -> Act:
    """Once in four weeks: out of what has left the top fifth, into the top tenth."""

    def act(year: Year, player: SimPlayer) -> None:
        if year.day % 28 != 1:
            return
        ranked = sorted(
            year.listed, key=lambda artist: column(year, artist), reverse=True
        )
        kept = {artist.artist_id for artist in ranked[: len(ranked) // 5]}
        for key in sorted(player.shares):
            if key not in kept:
                year.sell_all(player, year.by_id[key], 1)
        best = ranked[: max(11, len(ranked) // 10)]
        for artist in best:
            if artist.artist_id not in player.shares:
                year.buy_for(player, artist, year.worth(player) // (len(best) + 1), 1)

    return act


def equal_money(year: Year, player: SimPlayer) -> None:
    """On the first day as much money into every artist as goes in whole shares."""
    if year.day:
        return
    each = player.cash_units // (len(year.listed) + 1)
    for artist in year.listed:
        year.buy_for(player, artist, each, 1)


def _change(days: int) -> Column:
    def change(_: Year, artist: SimArtist) -> float:
        return float(artist.fundamentals[-1] / artist.fundamentals[-1 - days])

    return change


def _growth(_: Year, artist: SimArtist) -> float:
    """Mean ln V of 28 days against the days before, up to 63."""
    logs = [math.log(units) for units in artist.fundamentals[-91:]]
    return mean(logs[-28:]) - mean(logs[:-28])


def _finder(skill: float) -> Act:
    """Knows the price in four weeks as well as that: 0 is a coin, 1 is perfect."""

    def gain(year: Year, artist: SimArtist) -> float:
        later = year.future[min(year.day + 28, len(year.future) - 1)]
        true = math.log(later[artist.artist_id] / artist.fundamental_units)
        noise: float = year.dice.gauss(0, 0.1)
        return skill * true + math.sqrt(1 - skill**2) * noise

    return _by(gain)


ADVERSARIES: dict[str, tuple[int, Act]] = {
    "rejoin": (_HELPERS, rejoin),
    "feed": (_HELPERS, feed),
    "pump": (0, pump),
    "dump": (_HELPERS, dump),
    "own orders": (_HELPERS, own_orders),
    "dodger": (0, dodger),
    "by level": (0, _by(lambda _, one: one.state.level if one.state else 0.0)),
    "by transient": (0, _by(lambda _, one: one.state.transient if one.state else 0.0)),
    "by surprise": (0, _by(lambda _, one: one.surprise_milli[-1])),
    "by change 1": (0, _by(_change(1))),
    "by change 7": (0, _by(_change(7))),
    "by change 28": (0, _by(_change(28))),
    "by growth": (0, _by(_growth)),
    "by sigma": (0, _by(lambda _, one: one.sigma_ppm)),
    "cheapest": (0, _by(lambda _, one: -one.fundamental_units)),
    "equal money": (0, equal_money),
    "finder 0": (0, _finder(0.0)),
    "finder 0.5": (0, _finder(0.5)),
    "finder 1": (0, _finder(1.0)),
}
"""By name: how many helpers the head has, and what they do."""
