"""Invented attention: how many new listeners each artist may expect, day by day.

One world is the process that the value's filter is the best forecast of; the others are
not, so that what can be foreseen in them is the filter's fault. All from a dice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

from exchange.value_formula import transient_gain, value_formula

WEEKDAYS = (1.0, 0.98, 0.99, 1.02, 1.12, 1.08, 0.95)
DAILY_SHOCK, RELEASE_SHOCK = 0.1, 0.3
Rates = Iterator[list[float]]
"""Each day the expected new listeners of every artist."""


def innovation_rates(dice: Random, artists: int) -> Rates:
    """Level and decaying transient in innovations form: the filter's own process.

    Prices are then as hard to foresee as the formula can make them, and what players
    still gain is the exchange's fault.
    """
    formula = value_formula()
    levels = [dice.gauss(0, 1.5) for _ in range(artists)]
    transients = [0.0] * artists
    while True:
        rates = []
        for a in range(artists):
            # One shock in thirty is a release or an event.
            scale = RELEASE_SHOCK if dice.random() < 1 / 30 else DAILY_SHOCK
            shock = dice.gauss(0, scale)
            lasting = formula.transient_damping * transients[a]
            rates.append(2000 * math.exp(levels[a] + lasting + shock))
            levels[a] += formula.level_gain * shock
            gain = transient_gain(shock, DAILY_SHOCK**2, formula)
            transients[a] = lasting + gain * shock
        yield rates


def career_rates(dice: Random, artists: int) -> Rates:
    """Releases once or twice a year, whose echo fades by a power of the time since.

    Each leaves a part behind, and every career has a slow drift of its own.
    """
    bases = [dice.gauss(6.5, 1.4) for _ in range(artists)]
    drifts = [dice.gauss(0, 0.0008) for _ in range(artists)]
    peaks, since = [0.0] * artists, [0] * artists
    while True:
        for a in range(artists):
            bases[a] += drifts[a] + dice.gauss(0, 0.012)
            since[a] += 1
            if dice.random() < 1 / 240:
                bases[a] += 0.15 * peaks[a] * dice.random()
                peaks[a], since[a] = dice.expovariate(1 / 0.8), 0
        yield [
            math.exp(base + peak / (1 + days / 4) ** 0.7)
            for base, peak, days in zip(bases, peaks, since, strict=True)
        ]


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


def noisy(make: Callable[[Random, int], Rates]) -> Callable[[Random, int], Rates]:
    """A world with noise of heavier tails than the normal's: Student's t with five."""

    def rates(dice: Random, artists: int) -> Rates:
        for day in make(dice, artists):
            yield [
                rate
                * math.exp(dice.gauss(0, 0.09) / math.sqrt(dice.gammavariate(2.5, 0.4)))
                for rate in day
            ]

    return rates


WORLDS: dict[str, Callable[[Random, int], Rates]] = {
    "innovations": innovation_rates,
    "random-walk": noisy(random_walk_rates),
    "jumps": noisy(jump_rates),
    "careers": noisy(career_rates),
}
