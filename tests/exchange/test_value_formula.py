"""The reference of the value against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from exchange import value_formula as reference
from exchange.value_formula import ValueState, value_formula

FORMULA = replace(
    value_formula(),
    listener_weight=0.65,
    pseudo_count=5,
    level_gain=0.05,
    transient_gain=0.32,
    transient_gain_large=0.60,
    large_error=3.5,
    transient_damping=0.97,
    variance_memory=0.97,
    transient_weight=0.12,
)


def test_log_attention_weighs_listeners_and_plays() -> None:
    # 0.65·ln 100 + 0.35·ln 1000
    assert reference.log_attention(95, 995, FORMULA) == pytest.approx(5.4110747, 1e-7)
    # Half a day holds half the flow and half of k: a half of every number.
    half = reference.log_attention(47.5, 497.5, FORMULA, seen=0.5)
    assert half == pytest.approx(5.4110747 - math.log(2), 1e-7)


def test_the_day_factor_is_a_median_and_needs_ten_artists() -> None:
    nine = [0.1] * 4 + [0.2] + [9.0] * 4
    assert reference.day_factor(nine) == 0
    assert reference.day_factor([*nine, 0.2]) == 0.2
    # One artist's merge moves nobody: the control is the mean, which would.
    merged = [*([0.2] * 10), 100.0]
    assert reference.day_factor(merged) == 0.2


def test_the_second_day_halves_the_distance_and_begins_a_transient() -> None:
    state, error = reference.advance(reference.first_state(4.0), 4.2, FORMULA)
    assert error == pytest.approx(0.2)
    assert state.level == pytest.approx(4.1)  # 1/n with n = 2
    # e⁴ = 0.0016, (3.5²·0.04)² = 0.2401: β = 0.32 + 0.28·0.0016/0.2417
    assert state.transient == pytest.approx(0.3218535 / 14 * 0.2, 1e-6)
    # λ = 1 − 1/2: half of 0.04 and half of 0.04.
    assert state.variance == pytest.approx(0.04)
    assert state.observed_days == 2


def test_an_old_artist_s_large_error_is_believed_more() -> None:
    old = ValueState(4.0, 0.5, 0.01, 100)
    state, error = reference.advance(old, 4.0 + 0.485 + 1.0, FORMULA)
    assert error == pytest.approx(1.0)
    assert state.level == pytest.approx(4.05)
    gain = 0.32 + 0.28 / (1 + (12.25 * 0.01) ** 2)
    assert state.transient == pytest.approx(0.485 + gain)
    # The square counts as nine variances at most.
    assert state.variance == pytest.approx(0.97 * 0.01 + 0.03 * 0.09)
    small = reference.transient_gain(0.01, 0.01, FORMULA)
    assert small == pytest.approx(0.32, 1e-4)


def test_a_day_without_a_flow_lets_the_transient_decay_and_counts_for_nothing() -> None:
    old = ValueState(4.0, 0.5, 0.01, 100)
    assert reference.advance(old, None, FORMULA) == (ValueState(4, 0.485, 0.01, 100), 0)


def test_value_and_outlook_hold_their_parts_of_the_transient() -> None:
    state = ValueState(4.0, 0.5, 0.01, 100)
    assert reference.log_value(state, FORMULA) == pytest.approx(4.06)
    assert FORMULA.outlook_weight == pytest.approx(0.6626, abs=5e-5)
    assert reference.outlook(state, FORMULA) == pytest.approx(4.3313, abs=5e-5)
    # sqrt(1.1937²·(0.5·0.01 + 0.5·0.03) + 0.15²)
    assert reference.outlook_spread(state, 0.03) == pytest.approx(0.2258, abs=5e-5)


def test_the_width_is_3_until_enough_is_known_and_never_below_2() -> None:
    assert reference.outlook_width([9.0] * 199) == 3
    assert reference.outlook_width([0.5] * 200) == 2
    assert reference.outlook_width([n / 100 for n in range(401)]) == pytest.approx(3.8)


def test_one_share_of_each_is_a_hundred_each() -> None:
    found = reference.prices([0.0, math.log(3.0)])
    assert found == pytest.approx([50, 150])
    extreme = reference.prices([-800.0, 800.0])
    assert sum(extreme) / 2 == pytest.approx(100)


def test_growth_is_centred_on_its_peers_and_has_a_floor_below_its_spread() -> None:
    days: list[float | None] = [1.0] * 63 + [1.5] * 28
    assert reference.log_growth(days) == pytest.approx(0.5)
    assert reference.growth(0.5, [0.3, 0.3, 0.3]) == pytest.approx(4.0)  # 0.2 / 0.05
    assert reference.growth(0.3, [0.3, 0.3, 0.3]) == 0
    missing: list[float | None] = [*days[:-7], *[None] * 7]
    assert reference.log_growth(missing) is None
    assert reference.log_growth(days[-69:]) is None  # 41 days before the last 28
    assert reference.log_growth(days[-70:]) is not None


def test_the_constants_are_those_of_the_dbt_project(tmp_path: Path) -> None:
    vars_of_dbt = yaml.safe_load(
        (Path(__file__).parents[2] / "dbt_project/dbt_project.yml").read_text()
    )["vars"]["value"]
    changed = tmp_path / "dbt_project.yml"
    changed.write_text(
        yaml.safe_dump({"vars": {"value": {**vars_of_dbt, "level_gain": 0.5}}})
    )
    assert value_formula(changed) == replace(value_formula(), level_gain=0.5)
    del vars_of_dbt["transient_damping"]
    other = tmp_path / "other.yml"
    other.write_text(yaml.safe_dump({"vars": {"value": vars_of_dbt}}))
    with pytest.raises(KeyError, match="transient_damping"):
        value_formula(other)
