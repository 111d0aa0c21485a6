"""The constants of the artist value, chosen by the history at hand.

Owns the search and what it minimises. Takes log attention as the marts hold it and
gives constants with the errors they make; must not read a warehouse or write one. Split
in time: the earlier days choose, the later ones measure, so that the error that is said
is of days the search has not seen. What is priced (w, k, κ) is no matter of a fit: an
error of log attention becomes smaller with any larger k.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from statistics import fmean
from typing import Any

from exchange.value_formula import (
    OUTLOOK_DAYS,
    OUTLOOK_LEAST_DAYS,
    ValueFormula,
    advance,
    first_state,
    outlook,
)

LEAST_DAYS = 60
LEAST_ARTISTS = 20
MOST_DAYS = 400
MOST_ARTISTS = 200
LEARNING_DAYS = 28
"""Observed days of an artist whose errors count for nothing: the filter is young."""
CHOOSING_SHARE = 0.7
"""Share of the days that choose; the rest measures."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    # More forecasts better and gives players more than the fee: DECISIONS.md.
    "level_gain": (0.005, 0.065),
    "transient_gain": (0.0, 0.8),
    "transient_gain_large": (0.0, 1.0),
    "large_error": (2.0, 8.0),
    "transient_damping": (0.5, 0.995),
}
_STARTS = {
    "level_gain": (0.02, 0.05),
    "transient_gain": (0.1, 0.3),
    "transient_damping": (0.8, 0.97),
}
"""Where a search may begin: one that moves a constant at a time ends in its hollow."""
_FIRST_STEPS = {
    "level_gain": 0.5,
    "transient_gain": 0.12,
    "transient_gain_large": 0.12,
    "large_error": 0.25,
    "transient_damping": 0.6,
}
_HALVINGS = 3
_LEAST_GAIN = 1e-5
"""Share by which an error has to fall for a step to be taken."""

Series = Sequence[float | None]


class TooLittleHistory(ValueError):
    """There are too few days or artists for a fit; says how many there are."""


@dataclass(frozen=True)
class Errors:
    """Roots of mean squared errors, in log attention."""

    step: float
    steps: int
    outlook: float | None
    """Of the mean of the next 28 days; None where no such forecast is over."""


@dataclass(frozen=True)
class Fit:
    """What the search found, and how both formulas did on the days after the split."""

    formula: ValueFormula
    days: int
    split: int
    """Days from the first one on whose errors chose."""
    artists: int
    error: Errors
    error_before: Errors

    @property
    def is_better(self) -> bool:
        """Whether the fit forecasts days better that it has not seen."""
        return self.error.step < self.error_before.step


def fit(panel: Mapping[str, Series], formula: ValueFormula) -> Fit:
    """Choose the constants, beginning with those of `formula`.

    Args:
        panel: log attention of each artist by day, all of the same days; None: a day
            without an accepted flow.

    Raises:
        TooLittleHistory: under 60 days, or under 20 artists that were observed on 60.
    """
    days = max((len(series) for series in panel.values()), default=0)
    whole = {
        artist: series
        for artist, series in panel.items()
        if sum(one is not None for one in series) >= LEAST_DAYS
    }
    if days < LEAST_DAYS or len(whole) < LEAST_ARTISTS:
        raise TooLittleHistory(
            f"a fit needs {LEAST_DAYS} days of {LEAST_ARTISTS} artists; there are"
            f" {days} days, and {len(whole)} artists observed on {LEAST_DAYS} of them"
        )
    # Keys are hashes: the first of them are a sample that is always the same.
    used = [whole[artist][-MOST_DAYS:] for artist in sorted(whole)[:MOST_ARTISTS]]
    days = min(days, MOST_DAYS)
    split = int(CHOOSING_SHARE * days)
    chosen = _search([series[:split] for series in used], formula)
    return Fit(
        chosen,
        days,
        split,
        len(used),
        errors(used, chosen, split),
        errors(used, formula, split),
    )


def constants_of(formula: ValueFormula) -> dict[str, float]:
    """What a fit chooses, by name; the outlook's weight follows from the damping."""
    every = asdict(formula)
    chosen = {name: round(every[name], 6) for name in BOUNDS}
    return {**chosen, "outlook_transient": round(formula.outlook_weight, 6)}


def _search(panel: Sequence[Series], formula: ValueFormula) -> ValueFormula:
    """Pattern search (Hooke and Jeeves 1961): step by step, then with half steps."""
    best, least = formula, errors(panel, formula, 0).step
    for values in product(*_STARTS.values()):
        start: dict[str, Any] = dict(zip(_STARTS, values, strict=True))
        tried = replace(formula, **start)
        error = errors(panel, tried, 0).step
        if error < least * (1 - _LEAST_GAIN):
            best, least = tried, error
    for halving in range(_HALVINGS + 1):
        moved = True
        while moved:
            moved = False
            for name, first in _FIRST_STEPS.items():
                for size in (first / 2**halving, -first / 2**halving):
                    moved_one = _moved(best, name, size)
                    if moved_one is None:
                        continue
                    error = errors(panel, moved_one, 0).step
                    if error < least * (1 - _LEAST_GAIN):
                        best, least, moved = moved_one, error, True
                        break
    return best


def _moved(formula: ValueFormula, name: str, size: float) -> ValueFormula | None:
    """The formula with one constant moved; None where there is no such formula.

    Gains of the transient move by `size`, others by a share of it; what ρ lets go, not
    what it keeps, is what a share means something of.
    """
    now: float = getattr(formula, name)
    if name == "transient_damping":
        moved = 1 - (1 - now) * math.exp(size)
    elif name in ("level_gain", "large_error"):
        moved = now * math.exp(size)
    else:
        moved = now + size
    low, high = BOUNDS[name]
    constant: dict[str, Any] = {name: min(max(moved, low), high)}
    tried = replace(formula, **constant)
    if tried == formula or tried.transient_gain > tried.transient_gain_large:
        return None
    return tried


def errors(panel: Sequence[Series], formula: ValueFormula, after: int) -> Errors:
    """How far the forecasts of the days from number `after` on were off.

    The filter runs over all days; the outlooks are those made on these days.
    """
    squares: list[float] = []
    of_outlooks: list[float] = []
    for series in panel:
        state = None
        for day, y in enumerate(series):
            if state is None:
                state = None if y is None else first_state(y)
                continue
            state, error = advance(state, y, formula)
            if day < after or state.observed_days <= LEARNING_DAYS:
                continue
            if y is not None:
                squares.append(error * error)
            if after and day + OUTLOOK_DAYS < len(series):
                ahead = series[day + 1 : day + 1 + OUTLOOK_DAYS]
                seen = [one for one in ahead if one is not None]
                if len(seen) >= OUTLOOK_LEAST_DAYS:
                    of_outlooks.append((fmean(seen) - outlook(state, formula)) ** 2)
    return Errors(
        math.sqrt(math.fsum(squares) / len(squares)) if squares else math.inf,
        len(squares),
        math.sqrt(fmean(of_outlooks)) if of_outlooks else None,
    )
