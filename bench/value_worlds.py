"""Worlds whose artists are valued: the demo's counters, and two other processes.

Neither of the others is the process that the filter is made for. All randomness is from
the seed; counters go through the same rules for flows as last.fm's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random

from bench.value_flows import Counts, Flow, FlowBook
from local_lastfm.demo import DemoWorld

EPOCH = date(2026, 1, 1)
WEEKDAYS = (1.0, 0.98, 0.99, 1.02, 1.12, 1.08, 0.95)
Rates = Iterator[list[float]]
"""Each day the expected new listeners of every artist."""


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


def random_walk_rates(dice: Random, artists: int) -> Rates:
    """Random walks of attention, with bursts that halve every 5 to 20 days.

    A burst is 1.8 times the usual attention in the mean and comes every four months.
    Short fierce ones (up to nine times, halved in 4 to 12 days) leave a value that goes
    on falling by 4 % a week after: the limit of one decay for all artists.
    """
    walks = [dice.gauss(6.5, 1.4) for _ in range(artists)]
    steps = [0.025 * math.exp(dice.gauss(0, 0.5)) for _ in range(artists)]
    bursts = [0.0] * artists
    halves = [4.0] * artists
    while True:
        for a in range(artists):
            walks[a] += dice.gauss(0, steps[a])
            bursts[a] *= 0.5 ** (1 / halves[a])
            if dice.random() < 1 / 120:
                bursts[a] += dice.expovariate(1 / 0.6)
                halves[a] = dice.uniform(5, 20)
        yield [math.exp(w + b) for w, b in zip(walks, bursts, strict=True)]


def jump_rates(dice: Random, artists: int) -> Rates:
    """Diffusion with lasting jumps, hits, seasons, growth and outages of the site."""
    bases = [dice.gauss(6.5, 1.4) for _ in range(artists)]
    swings = [dice.choice((0.0, 0.0, 0.1, 0.3, 1.0)) for _ in range(artists)]
    peaks = [dice.uniform(0, 365) for _ in range(artists)]
    hits = [0.0] * artists
    fades = [0.9] * artists
    day = 0
    while True:
        site = 0.0004 * day + (math.log(0.35) if dice.random() < 1 / 60 else 0.0)
        for a in range(artists):
            bases[a] += dice.gauss(0, 0.01)
            if dice.random() < 1 / 400:
                bases[a] += dice.gauss(0, 0.35)
            hits[a] *= fades[a]
            if dice.random() < 1 / 150:
                hits[a] += dice.expovariate(1 / 0.9)
                fades[a] = dice.uniform(0.85, 0.985)
                bases[a] += 0.1 * hits[a]
        yield [
            math.exp(
                bases[a]
                + hits[a]
                + swings[a] * math.cos(2 * math.pi * (day - peaks[a]) / 365.25)
                + site
            )
            for a in range(artists)
        ]
        day += 1


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
