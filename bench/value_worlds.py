"""Worlds whose artists are valued: the demo's counters, and two other processes.

Neither of the others is the process that the filter is made for. All randomness is from
the seed; counters go through the same rules for flows as last.fm's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from bench.value_flows import Counts, Flow, FlowBook
from exchange.worlds import WEEKDAYS, Rates, jump_rates, random_walk_rates
from local_lastfm.demo import DemoWorld

EPOCH = date(2026, 1, 1)


def demo_flows(seed: int, days: int, artists: int) -> list[list[Flow | None]]:
    """The demo world's artists: stalls, corrections, merges, renames and debuts."""
    world = DemoWorld(EPOCH + timedelta(days=days), seed)
    book = FlowBook()
    names = [str(index) for index in range(min(artists, len(world.artists)))]
    rows: dict[str, list[Flow | None]] = {name: [] for name in names}
    for day in range(world.epoch_day, world.epoch_day + days):
        now = (day + 1) * 86_400 - 1
        alive = {str(index) for index in world.chart_artists(now)} & rows.keys()
        counts = {one: world.artist_counters(int(one), now) for one in sorted(alive)}
        flows = book.take_day(day, counts, [n for n in names if n not in alive])
        for name in names:
            rows[name].append(flows.get(name))
    return list(rows.values())


def other_flows(
    make: Callable[[Random, int], Rates], seed: int, days: int, artists: int
) -> list[list[Flow | None]]:
    """Counters that grow by those rates, with weekdays, counting noise and stalls."""
    dice = Random(f"{make.__name__} {seed}")
    rates = make(dice, artists)
    each = [math.exp(dice.gauss(2.8, 0.4)) for _ in range(artists)]
    totals = [(100_000.0, 2_000_000.0)] * artists
    shown: list[Counts] = [(100_000, 2_000_000)] * artists
    book = FlowBook()
    rows: list[list[Flow | None]] = [[] for _ in range(artists)]
    for day in range(days):
        for a, rate in enumerate(next(rates)):
            # Heavier tails than the normal's: Student's t with five degrees.
            noise = dice.gauss(0, 0.09) / math.sqrt(dice.gammavariate(2.5, 1 / 2.5))
            rate *= WEEKDAYS[day % 7] * math.exp(noise)
            new = max(0.0, dice.gauss(rate, math.sqrt(rate)))
            plays = max(0.0, dice.gauss(rate * each[a], 4 * math.sqrt(rate * each[a])))
            totals[a] = (totals[a][0] + new, totals[a][1] + plays)
            if dice.random() >= 1 / 70:  # else the counters stall
                shown[a] = (int(totals[a][0]), int(totals[a][1]))
        snapshot = {str(a): shown[a] for a in range(artists) if dice.random() > 1 / 200}
        flows = book.take_day(day, snapshot)
        for a in range(artists):
            rows[a].append(flows.get(str(a)))
    return rows


def random_walk_flows(seed: int, days: int, artists: int) -> list[list[Flow | None]]:
    return other_flows(random_walk_rates, seed, days, artists)


def jump_flows(seed: int, days: int, artists: int) -> list[list[Flow | None]]:
    return other_flows(jump_rates, seed, days, artists)


WORLDS = {
    "demo": demo_flows,
    "random walk": random_walk_flows,
    "jumps": jump_flows,
}
