"""A simulated year: who must not get rich, and what must stay flat."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import mean, variance

import pytest

from exchange import pricing, simulator
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


def test_without_the_first_close_and_fees_the_robot_gets_rich(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: the robot does know tomorrow's prices."""
    monkeypatch.setattr(simulator.Year, "_take_rise", lambda *_: None)
    free = RULES.model_copy(update={"staleness_z_milli": 0, "base_fee_ppm": 1000})
    result = simulate(Scenario(seed=1, days=60, players=60, artists=100), free)
    assert kind(result, "robot") > 2 * kind(result, "index") + 20


SCHEMES = ("rejoin", "feed", "pump", "dump", "own orders")


def cheat(patch: pytest.MonkeyPatch, *, is_capped: bool) -> dict[str, float]:
    """The schemes of a world in which nothing happens, without any fee."""
    still = {"sigma_ppm": 0, "fundamental_units": 100 * UNITS_PER_CREDIT}

    def price(year: simulator.Year) -> None:
        for artist in year.listed:
            artist.__dict__.update(still, value=1.0)
            artist.fundamentals.append(artist.fundamental_units)

    patch.setattr(simulator.Year, "_price", price)
    if not is_capped:

        def curve(price: int, depth: int, u: int, sold: int, *_: int) -> int:
            return pricing.floor(-pricing.exact_cost(price, depth, u, -sold))

        patch.setattr(pricing, "sale_value", curve)
        patch.setattr(pricing, "basis_value", lambda price, *_: price * 10**9)
    free = RULES.model_copy(update={"base_fee_ppm": 0, "novice_days": 0})
    played = simulate(
        Scenario(seed=1, days=40, players=0, artists=40, has_adversaries=True), free
    )
    start = free.starting_cash_units
    return {
        player.kind: max(player.worth[-1], player.cash_units) / start - 1
        for player in played.players
        if not player.is_helper and player.kind in SCHEMES
    }


def test_no_scheme_gains_where_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        assert max(cheat(patch, is_capped=True).values()) <= 0
    # The control: the curve alone pays them.
    with monkeypatch.context() as patch:
        old = cheat(patch, is_capped=False)
    assert min(old[name] for name in ("rejoin", "feed", "own orders")) > 0.01


def test_a_finder_earns_more_the_better_it_finds() -> None:
    scenario = Scenario(
        seed=1, days=45, players=16, artists=60, world="jumps", has_adversaries=True
    )
    found = simulate(scenario, RULES)
    returns = [kind(found, f"finder {skill}") for skill in ("0", "0.5", "1")]
    assert returns == sorted(returns) and returns[2] > returns[0] + 10
    assert kind(found, "robot") < kind(found, "index")


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
    year = simulator.Year(scenario, rich)
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
    year = simulator.Year(Scenario(seed=3, artists=60), RULES)
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
