"""Gates: each passes on an ordinary day and refuses the day it exists for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
import yaml

from warehouse.build import PROJECT
from warehouse.gates import GATES, STALE_DAYS, Evidence, judge
from warehouse.store import Audit, Version

EARLIER = [
    Version(
        version=f"2026010{number}-00000{number}",
        fence=number,
        run_id=f"r{number}",
        as_of_date=date(2026, 1, number),
        published_at=datetime(2026, 1, number),
        built_through=number,
        project_hash="x",
        bytes=1000,
        row_counts={"fct_scrobbles": 1000 + number},
    )
    for number in range(1, 6)
]
ORDINARY = Evidence(
    steps={
        "fetch": {"planned": 1000, "answered": 1000},
        "load": {"items": 10_000, "rows": 9_990, "dead_letters": 10},
    },
    audit=Audit({"fct_scrobbles": 1010}, 6, 1000),
    earlier=EARLIER,
    days={
        "artists": 100,
        "listeners": 1_010_000,
        "listeners_before": 1_000_000,
        "unchanged": 5,
        "snapshots_age_days": 1,
        "answers_age_days": 0,
    },
    free_bytes=10**9,
)
BAD_DAYS = {
    "completeness": replace(
        ORDINARY,
        steps=ORDINARY.steps | {"fetch": {"planned": 1000, "answered": 989}},
    ),
    "dead-letters": replace(
        ORDINARY,
        steps=ORDINARY.steps
        | {"load": {"items": 10_000, "rows": 9_949, "dead_letters": 51}},
    ),
    "reconciliation": replace(
        ORDINARY,
        steps=ORDINARY.steps
        | {"load": {"items": 10_000, "rows": 9_989, "dead_letters": 10}},
    ),
    "row-counts": replace(ORDINARY, audit=Audit({"fct_scrobbles": 800}, 6, 1000)),
    "listeners": replace(ORDINARY, days=ORDINARY.days | {"listeners": 1_060_000}),
    "identical-day": replace(ORDINARY, days=ORDINARY.days | {"unchanged": 96}),
    "freshness": replace(ORDINARY, days=ORDINARY.days | {"snapshots_age_days": 7}),
    "free-disk": replace(ORDINARY, free_bytes=1999),
}


def test_every_gate_passes_on_an_ordinary_day() -> None:
    assert [gate.name for gate in judge(ORDINARY) if not gate.passed] == []


def test_every_gate_has_a_day_it_refuses() -> None:
    assert set(BAD_DAYS) == set(GATES)


@pytest.mark.parametrize("name", sorted(BAD_DAYS))
def test_a_gate_refuses_its_own_bad_day_and_no_other_gate_does(name: str) -> None:
    assert [gate.name for gate in judge(BAD_DAYS[name]) if not gate.passed] == [name]


def test_a_fall_of_listeners_is_refused_sooner_than_a_rise() -> None:
    fall = replace(ORDINARY, days=ORDINARY.days | {"listeners": 985_000})
    assert [gate.name for gate in judge(fall) if not gate.passed] == ["listeners"]


def test_the_first_day_has_nothing_to_compare_with_and_passes() -> None:
    first = replace(ORDINARY, earlier=[], days={})
    assert all(gate.passed for gate in judge(first))


def test_data_is_stale_when_the_sources_say_so() -> None:
    path = PROJECT / "models/staging/lastfm/_lastfm__sources.yml"
    source = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]
    limit = source["config"]["freshness"]["error_after"]
    assert limit == {"count": STALE_DAYS, "period": "day"}
