"""The artist value: as plain Python has it, day by day, restated, on real counters."""

from __future__ import annotations

import csv
import math
import random
import statistics
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local_lastfm.demo import DemoWorld
from tests.dbt_project.project import (
    RawWarehouse,
    day,
    differences,
    postgres_rows,
    run_dbt,
)
from tests.dbt_project.reference_value import ALPHA, BETA_SMALL, RHO, Day, World
from warehouse.run import Target

VALUES = "+fct_artist_values", "fct_artist_snapshots"
SEED = 20250101
Rows = list[dict[str, Any]]


def counters(artists: int, days: int, *, is_dirty: bool, seed: int = SEED) -> Rows:
    """Daily counters of a world whose log attention follows the model of the value.

    A dirty world has days without answers, repeated answers, counters that step back,
    artists that come later and one that falls silent.
    """
    chance = random.Random(seed)
    levels = [chance.gauss(0, 1.2) for _ in range(artists)]
    transients = [0.0] * artists
    listeners = [2000 * math.exp(level) for level in levels]
    plays = [count * 30 for count in listeners]
    rows: Rows = []
    previous: dict[int, tuple[int, int]] = {}
    for number in range(days):
        weekday = (1.0, 1.0, 1.05, 1.1, 1.3, 1.4, 1.2)[number % 7]
        for artist in range(artists):
            error = chance.gauss(0, 0.08)
            attention = levels[artist] + RHO * transients[artist] + error
            levels[artist] += ALPHA * error
            transients[artist] = RHO * transients[artist] + BETA_SMALL * error
            new = 400 * math.exp(attention) * weekday
            if is_dirty and artist == artists - 1 and number > days // 2:
                new = 0.0
            listeners[artist] += new
            plays[artist] += 12 * new
            shown = int(listeners[artist]), int(plays[artist])
            if is_dirty:
                if artist % 6 == 5 and number < 5 * artist % days:
                    continue
                if chance.random() < 0.04:
                    continue
                if chance.random() < 0.04 and artist in previous:
                    shown = previous[artist]
                elif chance.random() < 0.02:
                    shown = int(shown[0] * 0.98), int(shown[1] * 0.99)
            previous[artist] = shown
            when = day(number)
            rows.append(
                {
                    "load_id": number + 1,
                    "as_of_date": when,
                    "fetched_at": datetime.combine(
                        when, time(4, chance.randrange(60), chance.randrange(60))
                    ),
                    "artist_name": f"Artist {artist:03}",
                    "requested_name": f"Artist {artist:03}",
                    "call_id": f"{number} {artist}",
                    "listeners": shown[0],
                    "playcount": shown[1],
                }
            )
    return rows


def values(warehouse: RawWarehouse) -> Rows:
    return warehouse.rows("marts.fct_artist_values", "value_date, artist_id")


def reference_of(warehouse: RawWarehouse) -> dict[tuple[str, date], Day]:
    """The values in plain Python, from the snapshots' flows."""
    flows: dict[str, dict[date, tuple[float, float]]] = {}
    snapshots = warehouse.rows("marts.fct_artist_snapshots", "artist_id")
    for row in snapshots:
        flow = row["new_listeners_per_day"], row["plays_per_day"]
        if None not in flow:
            flows.setdefault(row["artist_id"], {})[row["snapshot_date"]] = flow
    return World(flows, max(row["snapshot_date"] for row in snapshots)).value()


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> RawWarehouse:
    """A world of 40 artists and 130 days with every kind of dirt, fully built."""
    print("seed", SEED)
    warehouse = RawWarehouse(tmp_path_factory.mktemp("dirty"))
    warehouse.insert("lastfm__artist_infos", counters(40, 130, is_dirty=True))
    warehouse.build(*VALUES)
    return warehouse


def test_every_value_is_the_one_that_plain_python_gives(dirty: RawWarehouse) -> None:
    found = values(dirty)
    expected = reference_of(dirty)
    assert len(found) == len(expected) > 4000
    wanted: Rows = []
    for row in found:
        one = expected[row["artist_id"], row["value_date"]]
        wanted.append(
            {
                "log_attention": one.log_attention,
                "forecast_error": one.error,
                "level": one.level,
                "transient": one.transient,
                "error_variance": one.variance,
                "value": one.value,
                "value_low": one.value_low,
                "value_high": one.value_high,
                "fundamental_price": one.price,
                "score": one.score,
                "sigma": one.sigma,
                "history_days": one.history_days,
                "unobserved_days": one.unobserved_days,
                "is_listed": one.is_listed,
                "stage": one.stage,
                "growth": one.growth,
                "trend_slope": one.slope,
                "trend_slope_low": one.slope_low,
                "trend_slope_high": one.slope_high,
            }
        )
    assert not differences(wanted, found)
    wanted[700]["level"] = found[700]["level"] + 1e-6
    assert differences(wanted, found), "the comparison sees a small difference"


def test_the_index_is_100_on_every_day_with_a_listed_artist(
    dirty: RawWarehouse,
) -> None:
    by_day: dict[date, list[float]] = {}
    for row in values(dirty):
        if row["is_listed"]:
            by_day.setdefault(row["value_date"], []).append(row["fundamental_price"])
    assert len(by_day) > 90
    for prices in by_day.values():
        assert abs(math.fsum(prices) / len(prices) - 100) <= 1e-9


def test_dirt_never_gives_a_null_or_infinite_or_negative_value(
    dirty: RawWarehouse,
) -> None:
    snapshots = dirty.rows("marts.fct_artist_snapshots", "artist_id, snapshot_date")
    assert any(row["is_stalled"] for row in snapshots)
    assert any(row["playcount_correction"] for row in snapshots)
    assert any((row["days_since_previous"] or 1) > 1 for row in snapshots)
    for row in values(dirty):
        for name in ("value", "fundamental_price", "value_low", "value_high"):
            assert row[name] > 0 and math.isfinite(row[name]), row
        for name in ("level", "transient", "sigma", "surprise_z", "confidence"):
            assert math.isfinite(row[name]), row
        for name in ("score", "stage"):
            assert (row[name] is not None) == row["is_listed"], row
        assert row["growth"] is None or abs(row["growth"]) < 50


def test_an_artist_has_a_value_on_every_day_from_the_first_flow_on(
    dirty: RawWarehouse,
) -> None:
    days: dict[str, list[date]] = {}
    for row in values(dirty):
        days.setdefault(row["artist_id"], []).append(row["value_date"])
    assert len({len(of_artist) for of_artist in days.values()}) > 1
    for of_artist in days.values():
        assert len(of_artist) == (day(129) - of_artist[0]).days + 1
        assert of_artist[-1] == day(129)


def test_a_further_day_costs_one_step_and_gives_what_a_full_build_gives(
    tmp_path: Path,
) -> None:
    rows = counters(30, 112, is_dirty=True)
    warehouse = RawWarehouse(tmp_path)
    built_through = 0
    for last in (100, 101, 105, 112):
        warehouse.insert(
            "lastfm__artist_infos",
            [row for row in rows if built_through < row["load_id"] <= last],
        )
        warehouse.build(*VALUES, built_through=built_through)
        built_through = last
    snapshots = warehouse.rows("marts.fct_artist_snapshots", "snapshot_date, artist_id")
    grown = values(warehouse)
    warehouse.build(*VALUES, full_refresh=True)
    assert not differences(
        snapshots,
        warehouse.rows("marts.fct_artist_snapshots", "snapshot_date, artist_id"),
    )
    assert not differences(grown, values(warehouse), 1e-12)


def test_a_restated_day_restates_what_follows_and_nothing_before(
    tmp_path: Path,
) -> None:
    rows = counters(12, 80, is_dirty=False)
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert("lastfm__artist_infos", rows)
    warehouse.build(*VALUES)
    before = values(warehouse)
    again = dict(next(row for row in rows if row["as_of_date"] == day(60)))
    again |= {"load_id": 81, "call_id": "again", "playcount": again["playcount"] + 900}
    again["fetched_at"] += timedelta(hours=1)
    warehouse.insert("lastfm__artist_infos", [again])
    warehouse.build(*VALUES, built_through=80)
    after = values(warehouse)
    early = [row for row in before if row["value_date"] < day(60)]
    assert early == [row for row in after if row["value_date"] < day(60)]
    changed = {
        new["value_date"]
        for old, new in zip(before, after, strict=True)
        if old["value"] != new["value"]
    }
    assert changed == {day(number) for number in range(60, 80)}
    warehouse.build(*VALUES, full_refresh=True)
    assert not differences(after, values(warehouse), 1e-12)


def test_an_artist_whose_name_is_not_seen_has_a_stand_in_and_is_not_listed(
    tmp_path: Path,
) -> None:
    warehouse = RawWarehouse(tmp_path)
    rows = counters(12, 40, is_dirty=False)
    for row in rows:
        if row["artist_name"] == "Artist 003":
            row |= {"artist_name": "\u3164", "requested_name": "\u3164"}
    warehouse.insert("lastfm__artist_infos", rows)
    warehouse.build(*VALUES, "int_artists")
    names = {
        row["artist_id"]: row["artist_name"]
        for row in warehouse.rows("intermediate.int_artists", "artist_id")
    }
    last = [row for row in values(warehouse) if row["value_date"] == day(39)]
    assert len(last) == 12
    listed = {names[row["artist_id"]]: row["is_listed"] for row in last}
    assert not listed.pop("(blank name U+3164)")
    assert all(listed.values()), "the control: the same days under names that are seen"


def test_building_twice_changes_nothing(dirty: RawWarehouse) -> None:
    before = values(dirty)
    dirty.build(*VALUES, built_through=130)
    assert values(dirty) == before
    dirty.build(*VALUES, built_through=129)
    assert not differences(before, values(dirty), 1e-12)


def demo_counters(days: int) -> Rows:
    """The demo world's artists at the end of each of its first days, as they answer."""
    epoch = date(2026, 1, 1)
    world = DemoWorld(epoch + timedelta(days=days), seed=1)
    rows: Rows = []
    for number in range(days):
        when = epoch + timedelta(days=number)
        end = int(datetime.combine(when, time(23, 59, 59), UTC).timestamp())
        for index in world.chart_artists(end):
            listeners, plays = world.artist_counters(index, end)
            rows.append(
                {
                    "as_of_date": when,
                    "artist_name": f"Artist {index}",
                    "requested_name": f"Artist {index}",
                    "listeners": listeners,
                    "playcount": plays,
                }
            )
    return rows


@pytest.mark.parametrize("world", ["of the formula's own model", "demo"])
def test_changes_of_the_price_cannot_be_told_from_those_before(
    world: str, tmp_path: Path
) -> None:
    warehouse = RawWarehouse(tmp_path)
    rows = (
        demo_counters(300)
        if world == "demo"
        else counters(60, 250, is_dirty=False, seed=7)
    )
    warehouse.insert("lastfm__artist_infos", rows)
    warehouse.build(*VALUES)
    prices: dict[str, list[float]] = {}
    for row in values(warehouse):
        if row["history_days"] > 60:
            log_price = math.log(row["fundamental_price"])
            prices.setdefault(row["artist_id"], []).append(log_price)
    days = max(len(items) for items in prices.values())
    prices = {key: items for key, items in prices.items() if len(items) > days / 2}
    ratio = variance_ratio(prices, 7)
    print(f"variance ratio {ratio:.3f}")
    assert 0.8 <= ratio <= 1.25
    lag_1 = autocorrelation(prices)
    print(f"lag-1 autocorrelation {lag_1:.3f}")
    assert abs(lag_1) <= 0.15


def variance_ratio(series: dict[str, list[float]], days: int) -> float:
    """Variance of changes over `days` days over `days` times that of one, mean.

    Lo and MacKinlay, Review of Financial Studies 1988, with their corrections for
    overlapping changes and for the drift that is estimated from the same days.
    """
    ratios = []
    for items in series.values():
        one = [b - a for a, b in pairwise(items)]
        many = [b - a for a, b in zip(items, items[days:], strict=False)]
        drift = statistics.fmean(one)
        count = len(one)
        freedom = days * (count - days + 1) * (1 - days / count)
        variance = sum((change - drift) ** 2 for change in one) / (count - 1)
        overlapping = sum((change - days * drift) ** 2 for change in many) / freedom
        ratios.append(overlapping / variance)
    return statistics.fmean(ratios)


def autocorrelation(series: dict[str, list[float]]) -> float:
    """Mean over the series of the correlation of a change with the one before."""
    found = []
    for items in series.values():
        changes = [b - a for a, b in pairwise(items)]
        found.append(statistics.correlation(changes[1:], changes[:-1]))
    return statistics.fmean(found)


def test_real_counters_with_stalls_and_holes_are_valued_on_every_day(
    tmp_path: Path, shared_dir: Path
) -> None:
    source = shared_dir / "datasets/artist_daily_tom_misch/Tom_popularity_data.csv"
    with source.open(newline="", encoding="utf-8") as lines:
        answers = list(csv.DictReader(lines))
    assert len(answers) == 24
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert(
        "lastfm__artist_infos",
        [
            {
                "as_of_date": date.fromisoformat(answer["Date"]),
                "artist_name": "Tom Misch",
                "requested_name": "Tom Misch",
                "listeners": int(answer["Listeners"]),
                "playcount": int(answer["Playcount"]),
            }
            for answer in answers
        ],
    )
    warehouse.build(*VALUES)
    snapshots = warehouse.rows("marts.fct_artist_snapshots", "snapshot_date")
    stalls = [row["snapshot_date"] for row in snapshots if row["is_stalled"]]
    assert [when.isoformat() for when in stalls] == [
        "2018-06-08",
        "2018-06-12",
        "2018-06-18",
        "2018-06-22",
        "2018-07-08",
    ]
    by_day = {row["snapshot_date"].isoformat(): row for row in snapshots}
    # 14,754 plays in the 7 days since the counters last moved, two stalls between.
    assert by_day["2018-06-14"]["plays_per_day"] == pytest.approx(14754 / 7, abs=1e-5)
    # 46,430 plays in the 12 days since the stall began, a hole of 11 days in them.
    assert by_day["2018-07-03"]["plays_per_day"] == pytest.approx(46430 / 12, abs=1e-5)
    assert by_day["2018-07-04"]["plays_per_day"] == pytest.approx(3451, abs=1e-5)
    found = values(warehouse)
    assert len(found) == (date(2018, 7, 17) - date(2018, 6, 14)).days + 1
    for row in found:
        # Alone in the world the artist has all of it, whatever the counters did.
        assert row["attention_share"] in (None, 1.0)
        assert row["fundamental_price"] == pytest.approx(100)


@pytest.mark.postgres
def test_postgresql_gives_the_same_values_row_by_row(
    dirty: RawWarehouse, tmp_path: Path, postgres_url: str
) -> None:
    dirty.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), tmp_path, *VALUES)
    order = "artist_id, value_date"
    found = postgres_rows(postgres_url, "marts_build.fct_artist_values", order)
    assert not differences(dirty.rows("marts.fct_artist_values", order), found)
