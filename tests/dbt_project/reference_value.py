"""The artist value in plain Python, written from its formulas and not from the SQL.

Owns an independent account of what `fct_artist_values` has to hold, one artist and day
at a time. Flows come in as they stand in `fct_artist_snapshots`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import fmean, median

LISTENER_WEIGHT, PSEUDO_COUNT = 0.65, 5.0
ALPHA, BETA_SMALL, BETA_LARGE, LARGE = 0.05, 0.32, 0.60, 3.5
RHO, KAPPA = 0.97, 0.12
Flow = tuple[float, float]


@dataclass
class Day:
    """One artist on one day."""

    artist: str
    day: date
    log_attention: float | None
    error: float
    level: float
    transient: float
    variance: float
    history_days: int
    unobserved_days: int
    log_value: float = 0.0
    sigma: float = 0.0
    outlook_mean: float = 0.0
    outlook_spread: float = 0.0
    miss: float | None = None
    value_low: float = 0.0
    value_high: float = 0.0
    is_listed: bool = False
    price: float = 0.0
    score: float | None = None
    stage: str | None = None
    log_growth: float | None = None
    growth: float | None = None
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None

    @property
    def value(self) -> float:
        return math.exp(self.log_value)


@dataclass
class World:
    """The flows of every artist by day; a day without both flows is not there."""

    flows: Mapping[str, Mapping[date, Flow]]
    last: date
    days: dict[tuple[str, date], Day] = field(default_factory=dict)
    factors: dict[date, float] = field(default_factory=dict)

    def value(self) -> dict[tuple[str, date], Day]:
        """Every artist's days, from the first flow on."""
        for artist, of_artist in self._log_attention().items():
            self._follow(artist, of_artist)
        by_day: dict[date, list[Day]] = defaultdict(list)
        for one in self.days.values():
            by_day[one.day].append(one)
        for when in sorted(by_day):
            self._price(by_day[when])
            self._grow(by_day[when])
            self._look_out(by_day[when])
        for when in sorted(by_day):
            self._widen(when, by_day)
        return self.days

    def _log_attention(self) -> dict[str, dict[date, float]]:
        """What each day brought, less the day's own factor."""
        raw: dict[str, dict[date, float]] = {
            artist: {
                when: LISTENER_WEIGHT * math.log(listeners + PSEUDO_COUNT)
                + (1 - LISTENER_WEIGHT) * math.log(plays + PSEUDO_COUNT)
                for when, (listeners, plays) in of_artist.items()
            }
            for artist, of_artist in self.flows.items()
        }
        for when in {when for of_artist in raw.values() for when in of_artist}:
            told = []
            for of_artist in raw.values():
                before = [
                    of_artist[day]
                    for back in range(1, 29)
                    if (day := when - timedelta(days=back)) in of_artist
                ]
                if when in of_artist and len(before) >= 14:
                    told.append(of_artist[when] - median(before))
            self.factors[when] = median(told) if len(told) >= 10 else 0.0
        return {
            artist: {when: x - self.factors[when] for when, x in of_artist.items()}
            for artist, of_artist in raw.items()
        }

    def _follow(self, artist: str, attention: Mapping[date, float]) -> None:
        when = min(attention)
        level, transient, variance = attention[when], 0.0, 0.04
        history, unobserved = 1, 0
        errors: list[float] = []
        past: list[float | None] = []
        error = 0.0
        while True:
            past.append(attention.get(when))
            one = Day(
                artist,
                when,
                past[-1],
                error,
                level,
                transient,
                variance,
                history,
                unobserved,
            )
            one.log_value = level + KAPPA * transient
            one.sigma = 1.4826 * mad(errors[-60:]) if errors else 0.0
            one.is_listed = history >= 28 and unobserved < 28
            one.slope, one.slope_low, one.slope_high = seasonal_slope(past[-28:])
            self.days[artist, when] = one
            when += timedelta(days=1)
            if when > self.last:
                return
            forecast = level + RHO * transient
            error = 0.0
            if when in attention:
                error = attention[when] - forecast
                errors.append(error)
                history, unobserved = history + 1, 0
            else:
                unobserved += 1
            limit = LARGE**2 * max(variance, 1e-4)
            trust = error**4 / (error**4 + limit**2)
            beta = BETA_SMALL + (BETA_LARGE - BETA_SMALL) * trust
            level += max(ALPHA, 1 / history if history < 20 else 0.0) * error
            transient = RHO * transient + beta * min(1, (history - 1) / 14) * error
            if unobserved == 0:
                memory = min(0.97, 1 - 1 / history)
                variance = memory * variance + (1 - memory) * min(
                    error**2, 9 * variance
                )

    def _price(self, of_day: list[Day]) -> None:
        listed = [one for one in of_day if one.is_listed]
        mean = fmean(one.value for one in listed or of_day)
        for one in of_day:
            one.price = 100 * one.value / mean
        medians = {one.artist: median(self._past_values(one)) for one in listed}
        order = sorted(listed, key=lambda one: (-medians[one.artist], one.artist))
        n = len(order)
        superstars = max(math.ceil(n * 0.0003), 1)
        mainstream = superstars + max(math.ceil(n * 0.002), 2)
        mid_level = mainstream + max(math.ceil(n * 0.01), 4)
        for place, one in enumerate(order, 1):
            one.score = 100 * sum(other.value < one.value for other in listed) / n
            one.stage = (
                "superstar"
                if place <= superstars
                else "mainstream"
                if place <= mainstream
                else "mid-level"
                if place <= mid_level
                else "developing"
            )

    def _past(self, one: Day, days: int) -> list[Day]:
        found = (
            self.days.get((one.artist, one.day - timedelta(days=back)))
            for back in reversed(range(days))
        )
        return [other for other in found if other is not None]

    def _past_values(self, one: Day) -> list[float]:
        return [other.value for other in self._past(one, 360)]

    def _grow(self, of_day: list[Day]) -> None:
        for one in of_day:
            late_first = one.day - timedelta(days=27)
            seen = [day for day in self._past(one, 91) if day.unobserved_days == 0]
            late = [day.log_value for day in seen if day.day >= late_first]
            base = [day.log_value for day in seen if day.day < late_first]
            is_seen = one.is_listed and one.unobserved_days < 7
            if is_seen and len(late) >= 20 and len(base) >= 42:
                one.log_growth = fmean(late) - fmean(base)
        known = [one for one in of_day if one.log_growth is not None]
        for one in known:
            peers = [other for other in known if other.stage == one.stage]
            compared = peers if len(peers) >= 20 else known
            growths = [other.log_growth or 0.0 for other in compared]
            spread = max(1.4826 * mad(growths), 0.05)
            one.growth = ((one.log_growth or 0.0) - median(growths)) / spread

    def _look_out(self, of_day: list[Day]) -> None:
        usual = median(one.variance for one in of_day)
        for one in of_day:
            one.outlook_mean = one.level + 0.6626 * one.transient
            squared = 1.1937**2 * (one.variance / 2 + usual / 2)
            one.outlook_spread = math.sqrt(squared + (0.3 * one.transient) ** 2)
            before = self.days.get((one.artist, one.day - timedelta(days=28)))
            seen = [
                day.log_attention
                for day in self._past(one, 28)
                if day.log_attention is not None
            ]
            if before is not None and len(seen) >= 17:
                off = abs(fmean(seen) - before.outlook_mean)
                one.miss = off / before.outlook_spread

    def _widen(self, when: date, by_day: Mapping[date, list[Day]]) -> None:
        # Made in the last 91 days, and over: the newest was made 28 days ago.
        misses = sorted(
            one.miss
            for made_back in range(28, 91)
            for one in by_day.get(when - timedelta(days=made_back - 28), [])
            if one.miss is not None
        )
        width = 3.0
        if len(misses) >= 200:
            place = 0.95 * (len(misses) - 1)
            low = misses[math.floor(place)]
            high = misses[math.ceil(place)]
            width = max(2.0, low + (high - low) * (place - math.floor(place)))
        for one in by_day[when]:
            one.value_low = math.exp(one.outlook_mean - width * one.outlook_spread)
            one.value_high = math.exp(one.outlook_mean + width * one.outlook_spread)


def mad(items: list[float]) -> float:
    """Median absolute deviation from the median."""
    middle = median(items)
    return median(abs(item - middle) for item in items)


def seasonal_slope(
    past: list[float | None],
) -> tuple[float | None, float | None, float | None]:
    """Slope a day over pairs of equal weekdays, and its 95 % interval.

    Hirsch, Slack, Smith (1982), "Techniques of trend analysis for monthly water quality
    data": Theil-Sen within each season, pooled; weekdays are the seasons here.
    """
    slopes = []
    variance = 0.0
    for weekday in range(7):
        season = [
            (place, item)
            for place, item in enumerate(reversed(past))
            if place % 7 == weekday and item is not None
        ]
        n = len(season)
        variance += n * (n - 1) * (2 * n + 5) / 18
        slopes += [
            (later - earlier) / (far - near)
            for near, later in season
            for far, earlier in season
            if far > near
        ]
    if sum(item is not None for item in past) < 20:
        return None, None, None
    slopes.sort()
    spread = 1.96 * math.sqrt(variance)
    low = (len(slopes) - spread) / 2
    if low < 1:
        return median(slopes), None, None
    high = (len(slopes) + spread) / 2 + 1
    return median(slopes), slopes[math.floor(low) - 1], slopes[math.ceil(high) - 1]
