"""An artist's value in plain Python: what the marts compute in SQL, one step at a time.

Owns the reference that the simulator plays by and the benchmarks measure: log
attention, the factor of the day, level and transient, price, surprise, outlook, growth.
Logs are natural, a step is one UTC day, None is a day without an accepted flow. Must
not read a warehouse. The filter is a local level plus an AR(1) transient in innovations
form (Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with Exponential Smoothing");
spreads are by the median absolute deviation (Rousseeuw and Croux 1993).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import yaml  # type: ignore[import-untyped]

_PROJECT = Path(__file__).parents[1] / "dbt_project" / "dbt_project.yml"
LISTING_FLOOR_PLAYS = 3_098
"""Median plays a day an artist of last.fm needs to be listed: fewer are noise."""
OUTLOOK_DAYS = 28
"""Days whose mean log attention the outlook is about."""
OUTLOOK_LEAST_DAYS = 17
"""Observed days among them without which nobody can say what came of an outlook."""
# Makes the median absolute deviation of normal values their standard deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class ValueFormula:
    """The constants of the value; names as in dbt's vars, symbols as on /methods."""

    listener_weight: float
    """w: share of new listeners in log attention; plays have the rest."""
    pseudo_count: float
    """k: listeners and plays a day added to each flow."""
    level_gain: float
    """α: share of a day's error that moves the level for good."""
    transient_gain: float
    """β0: share of an ordinary error that moves the transient."""
    transient_gain_large: float
    """β1: the same share of a very large error."""
    large_error: float
    """k_z: error in units of the usual one at which the gain is half way up."""
    transient_damping: float
    """ρ: share of the transient that is left after a day."""
    variance_memory: float
    """λ: share of yesterday's error variance that stays."""
    transient_weight: float
    """κ: part of the transient that the price holds."""
    sigma_days: int
    """Observed days whose errors, or changes, give σ."""

    @property
    def outlook_weight(self) -> float:
        """Mean share of today's transient over the next 28 days, 0 to 1."""
        rho = self.transient_damping
        return rho * (1 - rho**OUTLOOK_DAYS) / ((1 - rho) * OUTLOOK_DAYS)


@cache
def value_formula(path: Path = _PROJECT) -> ValueFormula:
    """The formula's constants as the dbt project sets them.

    Raises:
        KeyError: the project does not set one.
    """
    project: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    values = project["vars"]["value"]
    return ValueFormula(**{one.name: values[one.name] for one in fields(ValueFormula)})


def log_attention(
    new_listeners: float, plays: float, formula: ValueFormula, *, seen: float = 1.0
) -> float:
    """x: log of a day's attention, new listeners and plays in the weights w and 1 − w.

    `seen` is the part of the day the flows are of; k is scaled with it.
    """
    k = formula.pseudo_count * seen
    w = formula.listener_weight
    return w * math.log(new_listeners + k) + (1 - w) * math.log(plays + k)


def day_factor(departures: Sequence[float]) -> float:
    """d_day: median of how far each artist's x lies from its own usual.

    Args:
        departures: x less the artist's median x of the 28 days before, of artists with
            a flow today and at least 14 of those days observed.

    Returns:
        Weekday, growth of the site, outage: what moves everybody; 0 when fewer than
        ten artists can say.
    """
    return median(departures) if len(departures) >= 10 else 0.0


@dataclass(frozen=True)
class ValueState:
    """What is known of an artist at the end of a day."""

    level: float
    transient: float
    variance: float
    """Of the one-day error; its square root is the usual error."""
    observed_days: int


FIRST_VARIANCE = 0.04
_LEAST_VARIANCE = 1e-4
_LEARNING_DAYS = 20
_TRANSIENT_DAYS = 14
_LARGEST_SQUARES = 9.0


def first_state(attention: float) -> ValueState:
    """The state of the first observed day: the level is what was seen."""
    return ValueState(attention, 0.0, FIRST_VARIANCE, 1)


def advance(
    state: ValueState, attention: float | None, formula: ValueFormula
) -> tuple[ValueState, float]:
    """One day's step: the new state and the error e = y − forecast.

    A day without a flow lets the transient decay and has the error 0; it is not
    counted, and the variance stays.
    """
    decayed = formula.transient_damping * state.transient
    if attention is None:
        return replace(state, transient=decayed), 0.0
    n = state.observed_days + 1
    error = attention - (state.level + decayed)
    gain = max(formula.level_gain, 1 / n) if n < _LEARNING_DAYS else formula.level_gain
    started = min(1.0, (n - 1) / _TRANSIENT_DAYS)
    memory = min(formula.variance_memory, 1 - 1 / n)
    square = error * error
    return ValueState(
        state.level + gain * error,
        decayed + transient_gain(error, state.variance, formula) * started * error,
        memory * state.variance
        + (1 - memory) * min(square, _LARGEST_SQUARES * state.variance),
        n,
    ), error


def transient_gain(error: float, variance: float, formula: ValueFormula) -> float:
    """β: from β0 to β1 as the error grows beyond k_z usual ones, as of yesterday."""
    gate = (formula.large_error**2 * max(variance, _LEAST_VARIANCE)) ** 2
    opened = error**4 / (error**4 + gate)
    least, most = formula.transient_gain, formula.transient_gain_large
    return least + (most - least) * opened


def log_value(state: ValueState, formula: ValueFormula) -> float:
    """ln V = l + κ·c: what is left after a burst."""
    return state.level + formula.transient_weight * state.transient


def prices(log_values: Sequence[float]) -> list[float]:
    """F = 100·V/mean(V) of the listed artists: one share of each is always 100 each."""
    # Shifting by the largest keeps exp() inside its range and changes no ratio.
    highest = max(log_values)
    values = [math.exp(one - highest) for one in log_values]
    middle = math.fsum(values) / len(values)
    return [100 * one / middle for one in values]


def outlook(state: ValueState, formula: ValueFormula) -> float:
    """m: expected mean log attention of the next 28 days."""
    return state.level + formula.outlook_weight * state.transient


def outlook_spread(state: ValueState, median_variance: float) -> float:
    """s: usual distance of that mean from m; the variance is half the artist's own.

    Args:
        state: the artist's.
        median_variance: median of the variance over all artists of the day.
    """
    pooled = 0.5 * state.variance + 0.5 * median_variance
    return math.sqrt(1.1937**2 * pooled + (0.3 * state.transient) ** 2)


def outlook_width(misses: Sequence[float]) -> float:
    """Q: how many spreads the interval reaches to either side of m.

    Args:
        misses: sorted |a − m|/s of the forecasts of the last 91 days that are over, a
            being the mean of at least 17 observed y of their 28 days.
    """
    if len(misses) < 200:
        return 3.0
    return max(2.0, quantile(misses, 0.95))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of sorted values, between neighbours by straight line."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def log_growth(log_values: Sequence[float | None]) -> float | None:
    """g: mean ln V of the last 28 days less that of the 63 before, observed days only.

    Args:
        log_values: ln V of the last 91 days, today last; None: not observed.

    Returns:
        None without 20 and 42 observed days, or without one in the last seven.
    """
    late = [one for one in log_values[-28:] if one is not None]
    early = [one for one in log_values[-91:-28] if one is not None]
    recent = [one for one in log_values[-7:] if one is not None]
    if len(late) < 20 or len(early) < 42 or not recent:
        return None
    return math.fsum(late) / len(late) - math.fsum(early) / len(early)


def growth(own: float, peers: Sequence[float]) -> float:
    """Growth in spreads of the artists of the stage, from their median on.

    Args:
        own: the artist's g.
        peers: g of the artists of its stage, of all where the stage has fewer than 20.
    """
    middle = median(peers)
    spread = _NORMAL * median(abs(one - middle) for one in peers)
    return (own - middle) / max(spread, 0.05)


def robust_spread(values: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation: a sigma that outliers leave alone."""
    middle = median(values)
    return _NORMAL * median(abs(value - middle) for value in values)
