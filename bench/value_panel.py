"""A world's artists valued day by day, by today's formula and by the one it replaced.

A panel is a list of artists of lists of days; None: not valued or observed that day.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from bench.value_flows import Flow
from exchange import value_formula
from exchange.value_formula import ValueFormula, ValueState, robust_spread

Panel = list[list[float | None]]
Flows = Sequence[Sequence[Flow | None]]
MISSES_DAYS = 91


@dataclass
class ValuePanel:
    """Every published number of a world, and the interval with what it should cover."""

    columns: dict[str, Panel]
    log_price: Panel
    attention: Panel
    low: Panel
    """Lower end of the interval, as log attention."""
    high: Panel
    size: list[float] = field(default_factory=list)
    """Mean plays a day of each artist."""


def attention_panel(flows: Flows, formula: ValueFormula) -> Panel:
    """y: log attention without the day's factor."""
    artists, days = len(flows), len(flows[0])
    windows: list[deque[float | None]] = [deque(maxlen=28) for _ in range(artists)]
    ordered: list[list[float]] = [[] for _ in range(artists)]
    found: Panel = [[None] * days for _ in range(artists)]
    for day in range(days):
        seen = {
            a: value_formula.log_attention(*flow, formula)
            for a in range(artists)
            if (flow := flows[a][day]) is not None
        }
        factor = value_formula.day_factor(
            [x - _middle(ordered[a]) for a, x in seen.items() if len(ordered[a]) >= 14]
        )
        for a in range(artists):
            x = seen.get(a)
            if x is not None:
                found[a][day] = x - factor
                insort(ordered[a], x)
            if len(windows[a]) == 28 and (oldest := windows[a][0]) is not None:
                del ordered[a][bisect_left(ordered[a], oldest)]
            windows[a].append(x)
    return found


def _middle(ordered: list[float]) -> float:
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


@dataclass
class _Followed:
    """States, errors and spreads of all artists."""

    states: list[list[ValueState | None]]
    errors: Panel
    sigma: Panel


def _follow(attention: Panel, formula: ValueFormula) -> _Followed:
    days = len(attention[0])
    found = _Followed([], [], [])
    for series in attention:
        state: ValueState | None = None
        recent: deque[float] = deque(maxlen=formula.sigma_days)
        states: list[ValueState | None] = []
        errors: list[float | None] = []
        sigmas: list[float | None] = []
        for day in range(days):
            y, error = series[day], None
            if state is None:
                state = None if y is None else value_formula.first_state(y)
            else:
                state, error = value_formula.advance(state, y, formula)
                if y is not None:
                    recent.append(error)
            states.append(state)
            errors.append(error)
            sigmas.append(robust_spread(recent) if len(recent) > 2 else None)
        found.states.append(states)
        found.errors.append(errors)
        found.sigma.append(sigmas)
    return found


def value_panel(flows: Flows, formula: ValueFormula, floor: float = 0.0) -> ValuePanel:
    """The world by today's formula.

    Args:
        flows: new listeners and plays a day; [artist][day].
        floor: median plays a day of 28 days that a listed artist has at least.
    """
    attention = attention_panel(flows, formula)
    followed = _follow(attention, formula)
    log_values: Panel = [
        [None if s is None else value_formula.log_value(s, formula) for s in states]
        for states in followed.states
    ]
    listed = _listed(flows, floor)
    log_price = _log_prices(log_values, listed)
    middle, low, high = _outlooks(attention, followed, formula)
    rows = list(zip(followed.states, followed.errors, followed.sigma, strict=True))
    columns: dict[str, Panel] = {
        "level": [[s and s.level for s in states] for states, _, _ in rows],
        "transient": [[s and s.transient for s in states] for states, _, _ in rows],
        "surprise": [
            [e / s if e is not None and s else None for e, s in zip(*pair, strict=True)]
            for pair in ((errors, sigma) for _, errors, sigma in rows)
        ],
        **{f"change {n}": _changes(log_price, n) for n in (1, 7, 28)},
        "sigma": followed.sigma,
        "price": log_price,
        "growth": _growths(log_values, attention, listed),
        "outlook": middle,
        "outlook gap": _less(middle, log_values),
        "outlook width": _less(high, low),
    }
    return ValuePanel(columns, log_price, attention, low, high, _sizes(flows))


def _listed(flows: Flows, floor: float) -> list[list[bool]]:
    """Who is listed: 28 observed days, one of them in the last 28, and the floor."""
    found = []
    for of_artist in flows:
        window: deque[float | None] = deque(maxlen=28)
        observed = 0
        row = []
        for flow in of_artist:
            window.append(None if flow is None else flow[1])
            observed += flow is not None
            seen = [one for one in window if one is not None]
            row.append(observed >= 28 and bool(seen) and median(seen) >= floor)
        found.append(row)
    return found


def _log_prices(log_values: Panel, listed: list[list[bool]]) -> Panel:
    """ln F of listed artists."""
    found: Panel = [[None] * len(log_values[0]) for _ in log_values]
    for day in range(len(log_values[0])):
        artists = [a for a in range(len(listed)) if listed[a][day]]
        values = [one for a in artists if (one := log_values[a][day]) is not None]
        if values:
            for a, price in zip(artists, value_formula.prices(values), strict=True):
                found[a][day] = math.log(price)
    return found


def _outlooks(
    attention: Panel, followed: _Followed, formula: ValueFormula
) -> tuple[Panel, Panel, Panel]:
    """m and the ends of the interval m ∓ Q·s."""
    artists, days = len(attention), len(attention[0])
    middle, low, high, spread = (
        [[None] * days for _ in range(artists)] for _ in range(4)
    )  # type: tuple[Panel, Panel, Panel, Panel]
    misses: list[float] = []
    by_day: deque[list[float]] = deque()
    for day in range(days):
        made = day - value_formula.OUTLOOK_DAYS
        if made >= 0:
            over = []
            for a in range(artists):
                m, s = middle[a][made], spread[a][made]
                mean = mean_after(attention[a], made)
                if m is not None and s and mean is not None:
                    over.append(abs(mean - m) / s)
                    insort(misses, over[-1])
            by_day.append(over)
            if len(by_day) > MISSES_DAYS - value_formula.OUTLOOK_DAYS:
                for one in by_day.popleft():
                    del misses[bisect_left(misses, one)]
        width = value_formula.outlook_width(misses)
        known = [(a, s) for a in range(artists) if (s := followed.states[a][day])]
        usual = median(s.variance for _, s in known) if known else 0.0
        for a, state in known:
            m = middle[a][day] = value_formula.outlook(state, formula)
            s = spread[a][day] = value_formula.outlook_spread(state, usual)
            low[a][day], high[a][day] = m - width * s, m + width * s
    return middle, low, high


def mean_after(series: Sequence[float | None], day: int) -> float | None:
    """Mean of the observed values of the 28 days after; None: fewer than 17."""
    seen = [one for one in series[day + 1 : day + 29] if one is not None]
    return fmean(seen) if len(seen) >= value_formula.OUTLOOK_LEAST_DAYS else None


def _growths(log_values: Panel, attention: Panel, listed: list[list[bool]]) -> Panel:
    """Growth among all listed artists: too few in a world for stages of their own."""
    artists, days = len(log_values), len(log_values[0])
    found: Panel = [[None] * days for _ in range(artists)]
    seen: Panel = [
        [v if y is not None else None for v, y in zip(*pair, strict=True)]
        for pair in zip(log_values, attention, strict=True)
    ]
    for day in range(90, days):
        own = {
            a: g
            for a in range(artists)
            if listed[a][day]
            and (g := value_formula.log_growth(seen[a][day - 90 : day + 1])) is not None
        }
        peers = list(own.values())
        for a, g in own.items():
            found[a][day] = value_formula.growth(g, peers)
    return found


def _changes(log_price: Panel, days: int) -> Panel:
    return [
        [
            now - before
            if day >= days
            and now is not None
            and (before := series[day - days]) is not None
            else None
            for day, now in enumerate(series)
        ]
        for series in log_price
    ]


def _less(one: Panel, other: Panel) -> Panel:
    return [
        [
            None if a is None or b is None else a - b
            for a, b in zip(left, right, strict=True)
        ]
        for left, right in zip(one, other, strict=True)
    ]


def _sizes(flows: Flows) -> list[float]:
    return [
        fmean([flow[1] for flow in of_artist if flow is not None] or [0.0])
        for of_artist in flows
    ]


# -- the formula before ------------------------------------------------------

_W, _K = 0.65, 5.0
_ALPHA, _BETA, _PHI, _DISCOUNT = 0.3, 0.04, 0.9, 0.98
_TREND_WEIGHT = _PHI / (1 - _DISCOUNT * _PHI)


def former_panel(flows: Flows, floor: float = 0.0) -> ValuePanel:
    """The world by the value before: damped Holt on the log share of the day's sum."""
    shares = _log_shares(flows)
    artists, days = len(flows), len(flows[0])
    level, trend, sigma, surprise, log_values, low, high = (
        [[None] * days for _ in range(artists)] for _ in range(7)
    )  # type: tuple[Panel, Panel, Panel, Panel, Panel, Panel, Panel]
    listed = _listed(flows, floor)
    for a, series in enumerate(shares):
        errors: deque[float] = deque(maxlen=60)
        start = next((day for day, y in enumerate(series) if y is not None), days)
        base, slope = 0.0, 0.0
        for day, y in enumerate(series[start:], start):
            error = 0.0
            if day == start and y is not None:
                base = y
            else:
                forecast = base + _PHI * slope
                if y is not None:
                    error = y - forecast
                    errors.append(error)
                base, slope = forecast + _ALPHA * error, _PHI * slope + _BETA * error
            level[a][day], trend[a][day] = base, slope
            value = log_values[a][day] = base + _TREND_WEIGHT * slope
            if len(errors) > 2:
                spread = sigma[a][day] = robust_spread(errors)
                surprise[a][day] = error / spread if spread else None
                reach = 1.96 * spread * math.sqrt(_ALPHA * (1 - _ALPHA))
                low[a][day], high[a][day] = value - reach, value + reach
    log_price = _log_prices(log_values, listed)
    columns = {
        "level": level,
        "transient": trend,
        "surprise": surprise,
        **{f"change {n}": _changes(log_price, n) for n in (1, 7, 28)},
        "sigma": sigma,
        "price": log_price,
        "growth": _growths(log_values, shares, listed),
        "outlook": log_values,
        "outlook width": _less(high, low),
    }
    return ValuePanel(columns, log_price, shares, low, high, _sizes(flows))


def _log_shares(flows: Flows) -> Panel:
    artists, days = len(flows), len(flows[0])
    found: Panel = [[None] * days for _ in range(artists)]
    for day in range(days):
        seen = {a: flow for a in range(artists) if (flow := flows[a][day]) is not None}
        listeners = math.fsum(flow[0] + _K for flow in seen.values())
        plays = math.fsum(flow[1] + _K for flow in seen.values())
        for a, flow in seen.items():
            found[a][day] = _W * math.log((flow[0] + _K) / listeners) + (
                1 - _W
            ) * math.log((flow[1] + _K) / plays)
    return found
