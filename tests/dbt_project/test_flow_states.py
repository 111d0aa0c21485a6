"""Steps of the counters: planted cases of each kind are found, and true bursts stay.

The world here is a plan of its own: random walks of flows with weekdays, on which cases
are planted by lot. The models know nothing of it.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project.project import (
    RawWarehouse,
    day,
    differences,
    postgres_rows,
    run_dbt,
)
from warehouse.names import name_key
from warehouse.run import Target

SEED = 20260131
DAYS = 92
ONE_OF_EACH = 100
MODELS = "+artist_anomalies", "+fct_artist_snapshots"
STATES = {"merge": 2, "opposite": 3, "plays only": 4, "history": 5, "glitch": 6}
Rows = list[dict[str, Any]]


def artist_id(name: str) -> str:
    return md5(name_key(name).encode()).hexdigest()


@dataclass
class Plan:
    """Counters by artist and day, and what was planted: (artist, day) -> kind."""

    chance: random.Random
    counters: dict[str, list[tuple[float, float] | None]] = field(default_factory=dict)
    planted: dict[tuple[str, int], str] = field(default_factory=dict)
    corrections: Rows = field(default_factory=list)

    def grow(self, name: str, burst: int | None = None) -> list[tuple[float, float]]:
        """Flows of a random walk; a true burst brings listeners with the plays."""
        chance = self.chance
        size = math.exp(chance.gauss(5, 1.2))
        each = math.exp(chance.gauss(2.7, 0.4))
        flows = []
        heat = 0.0
        for number in range(DAYS):
            size *= math.exp(chance.gauss(0, 0.03))
            heat *= 0.85
            if number == burst:
                heat = chance.uniform(2, 14)
            weekday = (1, 0.95, 1, 1.05, 1.2, 1.15, 0.95)[number % 7]
            new = (size * (1 + heat) + 1) * weekday * math.exp(chance.gauss(0, 0.12))
            plays = new * each * math.exp(chance.gauss(0, 0.1))
            flows.append((new, plays))
        start = 2000 * size, 2000 * size * each
        counts = []
        for new, plays in flows:
            start = start[0] + new, start[1] + plays
            counts.append(start)
        self.counters[name] = list(counts)
        return flows

    def add(self, name: str, first: int, listeners: float, plays: float) -> None:
        """Raise the counters from a day on, for good."""
        self.counters[name] = [
            one
            if one is None or number < first
            else (one[0] + listeners, one[1] + plays)
            for number, one in enumerate(self.counters[name])
        ]

    def plant(self, kind: str, number: int) -> None:
        """One artist, or two, with a case of the kind on a day by lot."""
        name = f"{kind} {number:03}"
        when = self.chance.randrange(30, DAYS - 5)
        flows = self.grow(name, when if kind == "burst" else None)
        new, plays = flows[when]
        counts = self.counters[name]
        if kind in ("merge", "opposite"):
            other = f"{name} other"
            theirs = self.grow(other)
            whole = self.counters[other][when - 1]
            assert whole is not None
            if kind == "merge":
                self.add(name, when, whole[0] * 0.7, whole[1])
                self.counters[other][when:] = [None] * (DAYS - when)
                if number % 2:
                    self._correct(other, name, when)
            else:
                part = max(8 * plays, 8 * theirs[when][1])
                self.add(name, when, 0.02 * part, part)
                self.add(other, when, -0.02 * part, -part)
                self.planted[other, when] = "down"
        elif kind == "plays only":
            self.add(name, when, 0, self.chance.uniform(8, 25) * plays + 40)
        elif kind == "history":
            self.add(name, when, 300 * new, 400 * plays + 4000)
        elif kind == "glitch":
            one = counts[when]
            assert one is not None
            factor = self.chance.uniform(14, 25)
            counts[when] = one[0] + factor * new + 60, one[1] + factor * plays + 60
        elif kind == "down":
            self.add(name, when, -3 * new - 30, -5 * plays - 60)
        elif kind == "stall":
            for later in range(when, when + self.chance.randrange(1, 4)):
                counts[later] = counts[when - 1]
                self.planted[name, later] = kind
        elif kind == "hole":
            counts[when] = None
        self.planted[name, when] = kind

    def _correct(self, alias: str, name: str, when: int) -> None:
        self.corrections.append(
            {
                "load_id": when + 1,
                "as_of_date": day(when),
                "requested_name": alias,
                "artist_name": name,
            }
        )

    def rows(self) -> Rows:
        return [
            {
                "load_id": number + 1,
                "as_of_date": day(number),
                "fetched_at": datetime.combine(day(number), time(4)),
                "artist_name": name,
                "requested_name": name,
                "call_id": f"{number} {name}",
                "listeners": int(one[0]),
                "playcount": int(one[1]),
            }
            for name, counts in self.counters.items()
            for number, one in enumerate(counts)
            if one is not None
        ]


KINDS = (
    *("merge", "opposite", "plays only", "history", "glitch"),
    *("down", "stall", "hole", "burst", "nothing"),
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    print("seed", SEED)
    made = Plan(random.Random(SEED))
    for kind in KINDS:
        for number in range(ONE_OF_EACH):
            made.plant(kind, number)
    return made


@pytest.fixture(scope="module")
def planted(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> RawWarehouse:
    warehouse = RawWarehouse(tmp_path_factory.mktemp("planted"))
    warehouse.insert("lastfm__artist_infos", plan.rows())
    warehouse.insert("lastfm__artist_corrections", plan.corrections)
    warehouse.build(*MODELS)
    return warehouse


def steps_of(warehouse: RawWarehouse) -> dict[tuple[str, date], dict[str, Any]]:
    rows = warehouse.rows("marts.fct_artist_snapshots", "artist_id, snapshot_date")
    return {(row["artist_id"], row["snapshot_date"]): row for row in rows}


@dataclass(frozen=True)
class Found:
    """How many of the planted steps were found, and what else was said to be one."""

    wanted: Counter[str]
    hit: Counter[str]
    said: int
    right: int
    bursts: Counter[str]
    """True bursts that were halted for a day, and taken out for good."""

    @property
    def recall(self) -> dict[str, float]:
        return {kind: self.hit[kind] / self.wanted[kind] for kind in self.wanted}

    @property
    def precision(self) -> float:
        return self.right / self.said


def found_of(plan: Plan, steps: dict[tuple[str, date], dict[str, Any]]) -> Found:
    """The plan held against the flow states of the built steps."""
    names = {artist_id(name): name for name in plan.counters}
    wanted, hit, said, right = Counter[str](), Counter[str](), 0, 0
    for (name, number), kind in plan.planted.items():
        step = steps.get((artist_id(name), day(number)))
        if kind in ("burst", "nothing", "hole") or step is None:
            continue
        wanted[kind] += 1
        expected = {"stall": 0, "down": 1, **STATES}[kind]
        hit[kind] += step["flow_state"] == expected
    bursts = Counter[str]()
    for (key, when), step in steps.items():
        if step["flow_state"] is None:
            continue
        number = (when - day(0)).days
        kind = plan.planted.get((names[key], number), "nothing")
        if names[key].startswith("burst"):
            bursts["halted" if step["flow_state"] == 6 else "taken out"] += 1
            continue
        said += 1
        right += step["flow_state"] == {"stall": 0, "down": 1, **STATES}.get(kind)
    return Found(wanted, hit, said, right, bursts)


def test_planted_cases_are_found_and_little_else_is(
    plan: Plan, planted: RawWarehouse
) -> None:
    found = found_of(plan, steps_of(planted))
    print("recall", {kind: round(share, 3) for kind, share in found.recall.items()})
    print("precision", round(found.precision, 3), "of", found.said, dict(found.bursts))
    assert min(found.wanted.values()) >= ONE_OF_EACH
    assert min(found.recall.values()) >= 0.95
    assert found.precision >= 0.95
    assert found.bursts["taken out"] <= 0.05 * ONE_OF_EACH


def test_a_glitch_and_a_cache_leave_no_trace_in_the_flows(
    plan: Plan, planted: RawWarehouse
) -> None:
    steps = steps_of(planted)
    for (name, number), kind in plan.planted.items():
        if kind == "hole" or (artist_id(name), day(number)) not in steps:
            continue
        found = steps[artist_id(name), day(number)]["flow_state"]
        if kind != "glitch" or found != STATES[kind]:
            continue
        after = steps[artist_id(name), day(number + 1)]
        assert after["flow_reason"].startswith("the sudden step before went back")
        counts = plan.counters[name]
        before, now = counts[number - 1], counts[number + 1]
        assert before is not None and now is not None
        flow = (int(now[1]) - int(before[1])) / 2
        assert after["plays_per_day"] == pytest.approx(flow, abs=1e-5)


def merge_rows(shared_dir: Path, days: int) -> tuple[Rows, dict[int, dict[str, Any]]]:
    """A and B of the case on three days after 40 ordinary ones, and 25 others."""
    case = json.loads((shared_dir / "cases/15-merge.json").read_text(encoding="utf-8"))
    known = {one["day"]: one for one in case["days"]}
    chance = random.Random(SEED)
    rows: Rows = []

    def put(name: str, number: int, listeners: float, plays: float) -> None:
        rows.append(
            {
                "load_id": number + 1,
                "as_of_date": day(number),
                "artist_name": name,
                "requested_name": name,
                "listeners": int(listeners),
                "playcount": int(plays),
            }
        )

    others = [[3e5, 1e7, chance.uniform(100, 900)] for _ in range(25)]
    for number in range(days):
        back = 40 - number
        for index, other in enumerate(others):
            other[0] += other[2] * chance.uniform(0.9, 1.1)
            other[1] += other[2] * 40 * chance.uniform(0.9, 1.1)
            put(f"Other {index}", number, other[0], other[1])
        if back >= 0:
            first = known[1]
            # The last of these days is the case's own, to the play.
            wave = chance.uniform(-30, 30) if back else 0.0
            for name, new, plays in (("A", 230, 27_000), ("B", 150, 9_000)):
                put(
                    name,
                    number,
                    first[name]["listeners"] - new * back + wave,
                    first[name]["playcount"] - plays * back + 20 * wave,
                )
        else:
            shown = known[min(2 - back - 1, 3)]["A"]
            late = max(0, -back - 2)
            put(
                "A",
                number,
                shown["listeners"] + 230 * late,
                shown["playcount"] + 27_000 * late,
            )
    return rows, known


@pytest.mark.parametrize("is_corrected", [True, False])
def test_a_merge_is_a_correction_and_moves_nobody_else(
    is_corrected: bool, tmp_path: Path, shared_dir: Path
) -> None:
    rows, known = merge_rows(shared_dir, 46)
    for name in ("merged", "calm"):
        (tmp_path / name).mkdir()
    warehouse = RawWarehouse(tmp_path / "merged")
    calm = RawWarehouse(tmp_path / "calm")
    warehouse.insert("lastfm__artist_infos", rows)
    others = [row for row in rows if row["artist_name"] not in "AB"]
    calm.insert("lastfm__artist_infos", others)
    if is_corrected:
        plan = Plan(random.Random(1))
        plan._correct("B", "A", 41)
        warehouse.insert("lastfm__artist_corrections", plan.corrections)
    for one in (warehouse, calm):
        one.build("+fct_artist_values", *MODELS)
    step = steps_of(warehouse)[artist_id("A"), day(41)]
    assert (step["flow_state"], step["plays_per_day"]) == (2, None)
    assert step["plays_set_aside"] == (
        known[2]["A"]["playcount"] - known[1]["A"]["playcount"]
    )
    assert step["listeners_set_aside"] > 100_000
    found = {
        (row["artist_id"], row["value_date"]): row
        for row in warehouse.rows("marts.fct_artist_values", "artist_id, value_date")
    }
    for row in calm.rows("marts.fct_artist_values", "artist_id, value_date"):
        other = found[row["artist_id"], row["value_date"]]
        assert abs(other["log_value"] - row["log_value"]) < 0.01
    before, after = found[artist_id("A"), day(40)], found[artist_id("A"), day(45)]
    assert abs(after["log_value"] - before["log_value"]) < 0.05
    assert abs(after["surprise_z"]) < 6
    anomalies = [
        row
        for row in warehouse.rows("marts.artist_anomalies", "anomaly_date, artist_id")
        if row["artist_id"] == artist_id("A")
    ]
    assert [(row["kind"], row["anomaly_date"]) for row in anomalies] == [
        ("merge", day(41))
    ]
    other = anomalies[0]["other_artist_name"], anomalies[0]["other_playcount"]
    assert other == ("B", known[1]["B"]["playcount"])


def test_a_true_burst_is_halted_for_a_day_and_then_is_a_flow(
    tmp_path: Path, shared_dir: Path
) -> None:
    rows, _ = merge_rows(shared_dir, 44)
    # Variant c: 9,000 listeners and 400,000 plays, then 7,000 and 300,000.
    start = next(
        row for row in rows if row["artist_name"] == "A" and row["load_id"] == 41
    )
    rows = [
        row
        for row in rows
        if row["artist_name"] != "B"
        and not (row["artist_name"] == "A" and row["load_id"] > 41)
    ]
    listeners, plays = start["listeners"], start["playcount"]
    for number, (new, heard) in enumerate(
        [(9000, 400_000), (7000, 300_000), (5000, 220_000)], 41
    ):
        listeners, plays = listeners + new, plays + heard
        rows.append(
            start
            | {
                "load_id": number + 1,
                "as_of_date": day(number),
                "listeners": listeners,
                "playcount": plays,
            }
        )
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert("lastfm__artist_infos", rows)
    warehouse.build("+fct_artist_values", *MODELS)
    steps = steps_of(warehouse)
    key = artist_id("A")
    assert steps[key, day(41)]["flow_state"] == 6
    assert steps[key, day(42)]["plays_per_day"] == pytest.approx(350_000)
    assert steps[key, day(43)]["plays_per_day"] == pytest.approx(220_000)
    by_day = {
        row["value_date"]: row
        for row in warehouse.rows("marts.fct_artist_values", "value_date")
        if row["artist_id"] == key
    }
    rise = by_day[day(43)]["log_value"] - by_day[day(40)]["log_value"]
    assert 0.1 < rise < 1.5, "the price follows, and not by all of the burst"
    kinds = [
        row["kind"]
        for row in warehouse.rows("marts.artist_anomalies", "anomaly_date, kind")
        if row["artist_id"] == key
    ]
    assert kinds == ["unconfirmed", "burst"]


@pytest.mark.parametrize("noise", [5, 0])
def test_growth_of_few_artists_is_not_absurd(noise: int, tmp_path: Path) -> None:
    """Ten artists; six leave after day 40. See the case 14 of growth's spread."""
    chance = random.Random(SEED)
    rows: Rows = []
    for artist in range(10):
        listeners, plays = 100_000, 2_000_000
        is_calm = noise == 0 and artist >= 4
        for number in range(194):
            listeners += 50 + (0 if is_calm else chance.randint(-2, 2))
            plays += 1000 + (0 if is_calm else chance.randint(-5, 5))
            if artist >= 4 and number >= 40:
                continue
            rows.append(
                {
                    "as_of_date": day(number),
                    "artist_name": f"Artist {artist}",
                    "requested_name": f"Artist {artist}",
                    "listeners": listeners,
                    "playcount": plays,
                }
            )
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert("lastfm__artist_infos", rows)
    warehouse.build("+fct_artist_values")
    last = [
        row
        for row in warehouse.rows("marts.fct_artist_values", "artist_id")
        if row["value_date"] == day(193)
    ]
    assert len(last) == 10
    listed = [row for row in last if row["is_listed"]]
    assert len(listed) == 4
    for row in listed:
        assert abs(row["growth"]) < 0.5 and row["growth_label"] == "even"
    for row in last:
        if not row["is_listed"]:
            assert row["growth"] is row["score"] is row["stage"] is None
            assert row["growth_label"] == "insufficient history"


def test_a_further_day_and_the_other_engine_say_the_same(
    plan: Plan, planted: RawWarehouse, tmp_path: Path
) -> None:
    rows = [row for row in plan.rows() if row["artist_name"][-1] in "0123r"]
    warehouse = RawWarehouse(tmp_path)
    built_through = 0
    for last in (33, 34, 40, DAYS):
        for table, of_table in (
            ("lastfm__artist_infos", rows),
            ("lastfm__artist_corrections", plan.corrections),
        ):
            warehouse.insert(
                table, [r for r in of_table if built_through < r["load_id"] <= last]
            )
        warehouse.build(*MODELS, built_through=built_through)
        built_through = last
    tables = {
        "marts.fct_artist_snapshots": "artist_id, snapshot_date",
        "marts.artist_anomalies": "artist_id, anomaly_date, kind",
    }
    grown = {table: warehouse.rows(table, order) for table, order in tables.items()}
    warehouse.build(*MODELS, full_refresh=True)
    for table, order in tables.items():
        assert len(grown[table]) > 100
        assert grown[table] == warehouse.rows(table, order)


@pytest.mark.postgres
def test_postgresql_tells_the_same_steps_apart(
    planted: RawWarehouse, tmp_path: Path, postgres_url: str
) -> None:
    planted.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), tmp_path, *MODELS)
    for table, order in {
        "fct_artist_snapshots": "artist_id, snapshot_date",
        "artist_anomalies": "artist_id, anomaly_date, kind",
    }.items():
        found = postgres_rows(postgres_url, f"marts_build.{table}", order)
        assert not differences(planted.rows(f"marts.{table}", order), found)
