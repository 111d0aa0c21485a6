"""A simulated year: who must not get rich, and what must stay flat."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import mean, variance

import pytest

from exchange import simulator
from exchange.settings import UNITS_PER_CREDIT, ExchangeSettings
from exchange.simulator import Scenario, simulate

RULES = ExchangeSettings()


@pytest.fixture(scope="module")
def played() -> simulator.Simulation:
    return simulate(Scenario(seed=1, days=60, players=60, artists=100), RULES)


def kind(result: simulator.Simulation, name: str) -> float:
    return float(result.summary()["kinds"][name]["mean_return_pct"])


def test_the_same_seed_plays_the_same_game() -> None:
    small = Scenario(seed=4, days=15, players=24, artists=40)
    assert simulate(small, RULES).summary() == simulate(small, RULES).summary()


def test_a_robot_that_reads_live_counters_ends_behind_the_index(
    played: simulator.Simulation,
) -> None:
    assert kind(played, "robot") < kind(played, "index")


def test_without_fee_and_spread_the_robot_gets_rich() -> None:
    """The control: the robot does know tomorrow's prices."""
    free = RULES.model_copy(update={"staleness_z_milli": 0, "base_fee_ppm": 1000})
    result = simulate(Scenario(seed=1, days=60, players=60, artists=100), free)
    assert kind(result, "robot") > 2 * kind(result, "index") + 20


def test_wash_traders_lose_and_a_farm_gains_less_than_the_index(
    played: simulator.Simulation,
) -> None:
    assert kind(played, "wash") < 0
    assert kind(played, "farm") < kind(played, "index")


def test_money_is_flat_within_one_percent_a_month_for_who_holds_the_index() -> None:
    """Nobody else trades, so what comes in is the issuance alone."""
    scenario = Scenario(seed=2, days=60, players=8, artists=100, listing_floor_plays=0)
    # Enough cash for one share of every artist, the dearest included.
    rich = RULES.model_copy(
        update={
            "novice_days": 0,
            "holding_limit_pct": 100,
            "starting_cash_units": 30_000 * UNITS_PER_CREDIT,
        }
    )
    year = simulator._Year(scenario, rich)
    for player in year.players:
        player.kind = "index"
    result = year.play()
    for player in result.players:
        assert len(player.shares) == 100
        # From when the fees of the purchase have come back as dividends.
        for day in range(35, 60):
            change = player.worth[day] / player.worth[day - 30] - 1
            assert abs(change) < 0.01, (player.player_id, day, change)


def test_the_index_stays_at_100(played: simulator.Simulation) -> None:
    """Players push single artists, but the basket hardly at all."""
    assert all(abs(ratio - 1) < 0.03 for ratio in played.index_ratio)


def test_prices_of_the_simulated_world_cannot_be_foreseen() -> None:
    year = simulator._Year(Scenario(seed=3, artists=60), RULES)
    series: dict[str, list[float]] = {a.artist_id: [] for a in year.artists}
    days = 400
    for day in range(days):
        year._draw_flows(day)
        year._take_flows()
        year._price()
        if day >= 100:
            for artist in year.artists:
                series[artist.artist_id].append(math.log(artist.value))
    ratios, correlations = [], []
    for values in series.values():
        changes = [b - a for a, b in pairwise(values)]
        weeks = [b - a for a, b in zip(values, values[7:], strict=False)]
        ratios.append(variance(weeks) / (7 * variance(changes)))
        centre = mean(changes)
        correlations.append(
            sum((a - centre) * (b - centre) for a, b in pairwise(changes))
            / sum((a - centre) ** 2 for a in changes)
        )
    assert 0.9 <= mean(ratios) <= 1.1
    inside = 2 / math.sqrt(days - 100)
    assert abs(mean(correlations)) < inside


def test_wealth_is_told_for_every_kind_and_day(played: simulator.Simulation) -> None:
    rows = played.wealth_days()
    assert len(rows) == 60 * len(simulator.KINDS)
    assert all(row.lower_quartile <= row.upper_quartile for row in rows)
    last = {row.kind: row.mean for row in rows if row.day == 59}
    start = RULES.starting_cash_units / UNITS_PER_CREDIT
    for name in simulator.KINDS:
        assert last[name] == pytest.approx(start * (1 + kind(played, name) / 100), 1e-4)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_over_a_whole_year_the_robot_ends_behind_the_index(seed: int) -> None:
    result = simulate(Scenario(seed=seed), RULES)
    assert kind(result, "robot") < kind(result, "index")
    assert kind(result, "wash") < 0
