"""The fit finds constants that forecast unseen days better, where there are such."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from exchange.value_fit import (
    BOUNDS,
    Series,
    TooLittleHistory,
    constants_of,
    errors,
    fit,
)
from exchange.value_formula import ValueFormula, value_formula

DEFAULTS = value_formula()
TRUE = replace(
    DEFAULTS,
    level_gain=0.06,
    transient_gain=0.30,
    transient_gain_large=0.30,
    transient_damping=0.60,
)
"""A world whose bursts are over in days."""
DAYS, ARTISTS = 160, 30


def panel(formula: ValueFormula, seed: int = 1) -> dict[str, Series]:
    """Log attention that follows the formula's own model, a day in 30 not observed."""
    print("seed", seed)
    chance = random.Random(seed)
    found: dict[str, Series] = {}
    for artist in range(ARTISTS):
        level, transient = chance.gauss(5, 1), 0.0
        series: list[float | None] = []
        for _ in range(DAYS):
            error = chance.gauss(0, 0.1)
            y = level + formula.transient_damping * transient + error
            level += formula.level_gain * error
            transient = (
                formula.transient_damping * transient + formula.transient_gain * error
            )
            series.append(None if chance.random() < 1 / 30 else y)
        found[f"{artist:032x}"] = series
    return found


def distance(one: ValueFormula, other: ValueFormula) -> float:
    """How far two formulas are apart, in what moves the level and what decays."""
    names = ("level_gain", "transient_damping")
    return sum(abs(getattr(one, name) - getattr(other, name)) for name in names)


def test_a_fit_comes_nearer_to_another_world_than_the_defaults() -> None:
    world = panel(TRUE)
    found = fit(world, DEFAULTS)
    assert found.is_better
    assert found.error.steps == found.error_before.steps > 1000
    assert found.error.outlook is not None and found.error_before.outlook is not None
    assert found.error.outlook < found.error_before.outlook
    assert distance(found.formula, TRUE) < 0.5 * distance(DEFAULTS, TRUE)
    # What the defaults lose against the true formula the fit wins back.
    true = errors(list(world.values()), TRUE, found.split).step
    assert found.error_before.step > 1.01 * true
    assert found.error.step - true < 0.2 * (found.error_before.step - true)


def test_the_control_a_world_of_the_defaults_moves_the_fit_only_a_little() -> None:
    own = replace(DEFAULTS, transient_gain_large=DEFAULTS.transient_gain)
    found = fit(panel(own), DEFAULTS)
    assert found.error.step > 0.99 * found.error_before.step
    assert distance(found.formula, DEFAULTS) < 0.1


def test_what_is_chosen_stays_inside_its_bounds_and_what_is_priced_stays() -> None:
    found = fit(panel(TRUE), DEFAULTS).formula
    for name, (low, high) in BOUNDS.items():
        assert low <= getattr(found, name) <= high, name
    assert found.transient_gain <= found.transient_gain_large
    for name in ("listener_weight", "pseudo_count", "transient_weight"):
        assert getattr(found, name) == getattr(DEFAULTS, name)


def test_the_days_that_measure_do_not_choose() -> None:
    world = panel(TRUE)
    split = fit(world, DEFAULTS).split
    noise = random.Random(2)
    after = {
        artist: [
            one if day < split or one is None else one + noise.gauss(0, 1)
            for day, one in enumerate(series)
        ]
        for artist, series in world.items()
    }
    assert fit(after, DEFAULTS).formula == fit(world, DEFAULTS).formula


def test_too_little_history_is_refused_with_what_there_is() -> None:
    world = panel(DEFAULTS)
    short = {artist: series[:59] for artist, series in world.items()}
    with pytest.raises(TooLittleHistory, match="60 days of 20 artists; there are 59"):
        fit(short, DEFAULTS)
    few = dict(list(world.items())[:19])
    with pytest.raises(TooLittleHistory, match="and 19 artists observed on 60"):
        fit(few, DEFAULTS)
    with pytest.raises(TooLittleHistory, match="0 days"):
        fit({}, DEFAULTS)
    # The control: a little more is enough.
    enough = {artist: series[:75] for artist, series in list(world.items())[:20]}
    assert fit(enough, DEFAULTS).artists == 20


def test_the_outlook_follows_the_damping() -> None:
    constants = constants_of(DEFAULTS)
    assert constants["outlook_transient"] == pytest.approx(0.6626, abs=5e-5)
    assert set(constants) == {*BOUNDS, "outlook_transient"}
