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
ALPHA, BETA, PHI, DELTA = 0.3, 0.04, 0.9, 0.98
KAPPA = PHI / (1 - DELTA * PHI)
Flow = tuple[float, float]


@dataclass
class Day:
    """One artist on one day."""

    artist: str
    day: date
    log_share: float | None
    error: float
    level: float
    trend: float
    history_days: int
    unobserved_days: int
    value: float = 0.0
    sigma: float = 0.0
    is_listed: bool = False
    price: float = 0.0
    score: float = 0.0
    stage: str = ""
    log_growth: float | None = None
    growth: float | None = None
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None


@dataclass
class World:
    """The flows of every artist by day; a day without both flows is not there."""

    flows: Mapping[str, Mapping[date, Flow]]
    last: date
    days: dict[tuple[str, date], Day] = field(default_factory=dict)

    def value(self) -> dict[tuple[str, date], Day]:
        """Every artist's days, from the first flow on."""
        shares = self._log_shares()
        for artist, of_artist in shares.items():
            self._follow(artist, of_artist)
        by_day: dict[date, list[Day]] = defaultdict(list)
        for one in self.days.values():
            by_day[one.day].append(one)
        for of_day in by_day.values():
            self._price(of_day)
            self._stage(of_day)
        for of_day in by_day.values():
            self._grow(of_day)
        return self.days

    def _log_shares(self) -> dict[str, dict[date, float]]:
        total: dict[date, list[Flow]] = defaultdict(list)
        for of_artist in self.flows.values():
            for when, flow in of_artist.items():
                total[when].append(flow)
        shares: dict[str, dict[date, float]] = defaultdict(dict)
        for artist, of_artist in self.flows.items():
            for when, (listeners, plays) in of_artist.items():
                n = len(total[when])
                of_listeners = math.fsum(flow[0] for flow in total[when])
                of_plays = math.fsum(flow[1] for flow in total[when])
                k = PSEUDO_COUNT
                shares[artist][when] = LISTENER_WEIGHT * math.log(
                    (listeners + k) / (of_listeners + k * n)
                ) + (1 - LISTENER_WEIGHT) * math.log((plays + k) / (of_plays + k * n))
        return shares

    def _follow(self, artist: str, shares: Mapping[date, float]) -> None:
        when = min(shares)
        level, trend, history, unobserved = shares[when], 0.0, 1, 0
        errors: list[float] = []
        past: list[float | None] = []
        error = 0.0
        while True:
            past.append(shares.get(when))
            one = Day(artist, when, past[-1], error, level, trend, history, unobserved)
            one.value = math.exp(level + KAPPA * trend)
            one.sigma = 1.4826 * mad(errors[-60:]) if errors else 0.0
            one.is_listed = history / (history + 28) >= 0.5 and unobserved <= 28
            one.slope, one.slope_low, one.slope_high = seasonal_slope(past[-28:])
            self.days[artist, when] = one
            when += timedelta(days=1)
            if when > self.last:
                return
            forecast = level + PHI * trend
            if when in shares:
                error = shares[when] - forecast
                errors.append(error)
                history, unobserved = history + 1, 0
            else:
                error, unobserved = 0.0, unobserved + 1
            level = forecast + ALPHA * error
            trend = PHI * trend + BETA * error

    def _price(self, of_day: list[Day]) -> None:
        reference = [one for one in of_day if one.is_listed] or of_day
        mean = fmean(one.value for one in reference)
        members = {one.artist for one in reference}
        for one in of_day:
            one.price = 100 * one.value / mean
            outdone = sum(other.value < one.value for other in reference)
            others = len(reference) - (one.artist in members)
            one.score = 100 * outdone / others if others else 100.0

    def _stage(self, of_day: list[Day]) -> None:
        medians = {one.artist: median(self._past(one, 360)) for one in of_day}
        order = sorted(of_day, key=lambda one: -medians[one.artist])
        n = len(order)
        superstars = max(math.ceil(n * 0.0003), 1)
        mainstream = superstars + max(math.ceil(n * 0.002), 2)
        mid_level = mainstream + max(math.ceil(n * 0.01), 4)
        for place, one in enumerate(order, 1):
            one.stage = (
                "superstar"
                if place <= superstars
                else "mainstream"
                if place <= mainstream
                else "mid-level"
                if place <= mid_level
                else "developing"
            )
        for one in of_day:
            past = self._past(one, 91)
            late, early = past[-28:], past[:-28]
            if len(early) >= 7:
                one.log_growth = math.log(fmean(late) / fmean(early))

    def _past(self, one: Day, days: int) -> list[float]:
        found = (
            self.days.get((one.artist, one.day - timedelta(days=back)))
            for back in reversed(range(days))
        )
        return [other.value for other in found if other is not None]

    def _grow(self, of_day: list[Day]) -> None:
        everybody = [one.log_growth for one in of_day if one.log_growth is not None]
        for one in of_day:
            if one.log_growth is None:
                continue
            peers = [
                other.log_growth
                for other in of_day
                if other.stage == one.stage and other.log_growth is not None
            ]
            spread = 1.4826 * mad(peers if len(peers) >= 5 else everybody)
            one.growth = one.log_growth / spread if spread else 0.0


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
    if not slopes:
        return None, None, None
    slopes.sort()
    spread = 1.96 * math.sqrt(variance)
    low = (len(slopes) - spread) / 2
    if low < 1:
        return median(slopes), None, None
    high = (len(slopes) + spread) / 2 + 1
    return median(slopes), slopes[math.floor(low) - 1], slopes[math.ceil(high) - 1]
