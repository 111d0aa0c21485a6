"""Gates: each passes on an ordinary day and refuses the day it exists for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import duckdb
import pytest
import yaml

from tests.warehouse.small_marts import DAY, small_mart
from warehouse.gates import GATES, Age, Evidence, ages_sql, counters_sql, judge
from warehouse.marts import Mart
from warehouse.project import PROJECT
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
        "keys": 100,
        "total": 1_010_000,
        "total_before": 1_000_000,
        "unchanged": 5,
        "counted": 120,
        "counted_before": 125,
    },
    ages=[Age("counters", 1, 7), Age("answers", 0, 7)],
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
    "listeners": replace(ORDINARY, days=ORDINARY.days | {"total": 1_060_000}),
    "counters": replace(ORDINARY, days=ORDINARY.days | {"counted": 15}),
    "identical-day": replace(ORDINARY, days=ORDINARY.days | {"unchanged": 96}),
    "freshness": replace(ORDINARY, ages=[Age("counters", 7, 7), Age("answers", 0, 9)]),
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
    fall = replace(ORDINARY, days=ORDINARY.days | {"total": 985_000})
    assert [gate.name for gate in judge(fall) if not gate.passed] == ["listeners"]


def test_the_first_day_has_nothing_to_compare_with_and_passes() -> None:
    first = replace(ORDINARY, earlier=[], days={}, ages=[])
    assert all(gate.passed for gate in judge(first))


def test_data_is_stale_when_the_sources_say_so(marts: dict[str, Mart]) -> None:
    path = PROJECT / "models/staging/lastfm/_lastfm__sources.yml"
    source = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]
    limit = source["config"]["freshness"]["error_after"]
    judged = [m.meta.freshness for m in marts.values() if m.meta.freshness]
    assert len(judged) >= 2
    for freshness in judged:
        assert limit == {"count": freshness.error_after_days, "period": "day"}


def test_a_list_that_lacks_answers_refuses_a_day_that_is_complete_otherwise() -> None:
    fetched = {"planned": 175, "answered": 174}
    day = replace(ORDINARY, steps=ORDINARY.steps | {"fetch": fetched})
    assert all(gate.passed for gate in judge(day))
    lacking = {**fetched, "lacking": ["chart.getTopArtists lacks 1 of 1 answers"]}
    day = replace(ORDINARY, steps=ORDINARY.steps | {"fetch": lacking})
    (gate,) = (gate for gate in judge(day) if not gate.passed)
    assert gate.name == "completeness"
    assert gate.message == (
        "99.43 % of 175 calls answered, but chart.getTopArtists lacks 1 of 1 answers"
    )


def test_the_marts_counters_are_compared_with_the_day_before() -> None:
    mart = small_mart(
        "counted",
        segment="day",
        counters={"key": "k", "day": "day", "total": "n", "columns": ["n", "m"]},
        freshness={"column": "day", "error_after_days": 3},
    )
    with duckdb.connect() as connection:
        connection.execute(
            "create schema s; create table s.counted as select * from (values"
            " ('a', date '2026-01-01', 5, 1), ('a', date '2026-01-02', 7, 1),"
            " ('b', date '2026-01-01', 2, 2), ('b', date '2026-01-02', 2, 2),"
            " ('c', date '2026-01-02', 9, 9), ('d', date '2025-12-31', 1, 1)"
            ") as rows (k, day, n, m)"
        )
        marts = {"counted": mart}
        counters, ages = (
            counters_sql("s", marts, date(2026, 1, 2)),
            ages_sql("s", marts, date(2026, 1, 4)),
        )
        assert counters is not None and ages is not None
        assert connection.execute(counters).fetchall() == [(2, 9, 7, 1, 3, 1)]
        assert connection.execute(ages).fetchall() == [("counted", 2, 3)]
    assert counters_sql("s", {}, DAY) is None and ages_sql("s", {}, DAY) is None
