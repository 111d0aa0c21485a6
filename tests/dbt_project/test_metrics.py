"""The metrics in MetricFlow's format say what other marts and plain SQL say.

A small reader of the definitions makes SQL of them, for the kinds of metrics that the
project has, and asks a published version.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt_project.test_conventions import manifest

__all__ = ["manifest"]  # the fixture

Series = dict[Any, float]
AGGREGATES = {
    "sum": "sum({})",
    "count_distinct": "count(distinct {})",
    "max": "max({})",
}


class Definitions:
    """The metrics and semantic models of a manifest, as SQL."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.metrics = {m["name"]: m for m in manifest["metrics"].values()}
        self.measures = {
            measure["name"]: (model, measure)
            for model in manifest["semantic_models"].values()
            for measure in model["measures"]
        }

    def series(self, file: duckdb.DuckDBPyConnection, metric: str) -> Series:
        """A metric by month: first day of the month -> value."""
        found = self.metrics[metric]
        params = found["type_params"]
        if found["type"] == "simple":
            return dict(file.execute(self._by_month(found)).fetchall())
        if found["type"] == "ratio":
            above = self.series(file, params["numerator"]["name"])
            below = self.series(file, params["denominator"]["name"])
            return {month: above[month] / below[month] for month in above}
        assert found["type"] == "derived", found["type"]
        parts = {m["name"]: self.series(file, m["name"]) for m in params["metrics"]}
        months = set.intersection(*map(set, parts.values()))
        return {
            month: file.execute(
                f"select {params['expr']} from (select "
                + ", ".join(f"{parts[name][month]} as {name}" for name in parts)
                + ")"
            ).fetchall()[0][0]
            for month in months
        }

    def _by_month(self, metric: dict[str, Any]) -> str:
        model, measure = self.measures[metric["type_params"]["measure"]["name"]]
        day = measure["agg_time_dimension"] or model["defaults"]["agg_time_dimension"]
        filters = [
            re.sub(r"{{ Dimension\('\w+__(\w+)'\) }}", r"\1", one["where_sql_template"])
            for one in (metric["filter"] or {"where_filters": []})["where_filters"]
        ]
        month = f"cast(date_trunc('month', {day}) as date)"
        if measure["non_additive_dimension"]:
            filters.append(
                f"{day} in (select max({day}) from"
                f" marts.{model['node_relation']['alias']} group by {month})"
            )
        aggregate = AGGREGATES[measure["agg"]].format(measure["expr"])
        return (
            f"select {month}, {aggregate} from marts.{model['node_relation']['alias']}"
            f" where {' and '.join(filters) or 'true'} group by 1"
        )


TOTALS = "select period_start, {} from marts.totals where period = 'month'"
# The same figures, from marts that are built another way.
ELSEWHERE = {
    "scrobbles": TOTALS.format("scrobbles"),
    "active_listeners": TOTALS.format("listeners"),
    "artists_played": TOTALS.format("artists"),
    "tracks_played": TOTALS.format("tracks"),
    "listening_seconds": TOTALS.format("listening_seconds"),
    "listening_hours": TOTALS.format("listening_seconds / 3600.0"),
    "counted_scrobbles": TOTALS.format("scrobbles_clean"),
    "scrobbles_per_listener": TOTALS.format("scrobbles / listeners"),
    "artist_playcounts": """
        select cast(date_trunc('month', snapshot_date) as date), sum(playcount)
        from marts.fct_artist_snapshots
        where (year(snapshot_date), month(snapshot_date), day(snapshot_date)) in (
            select (year(snapshot_date), month(snapshot_date), max(day(snapshot_date)))
            from marts.fct_artist_snapshots
            group by year(snapshot_date), month(snapshot_date))
        group by 1
    """,
}


@pytest.fixture(scope="module")
def published(second_day: Path) -> Path:
    """The file of a published day."""
    return sorted((second_day / "versions").glob("*.duckdb"))[-1]


@pytest.fixture
def ask(published: Path) -> Callable[[Definitions, str], tuple[Series, Series]]:
    """A metric by its definition, and the same from elsewhere."""

    def asked(definitions: Definitions, metric: str) -> tuple[Series, Series]:
        with duckdb.connect(str(published), read_only=True) as file:
            found = definitions.series(file, metric)
            return found, dict(file.execute(ELSEWHERE[metric]).fetchall())

    return asked


@pytest.mark.parametrize("metric", ELSEWHERE)
def test_a_metric_is_what_another_mart_says(
    manifest: dict[str, Any],
    ask: Callable[[Definitions, str], tuple[Series, Series]],
    metric: str,
) -> None:
    found, elsewhere = ask(Definitions(manifest), metric)
    assert found and found == pytest.approx(elsewhere)


@pytest.mark.parametrize(
    ("measure", "changed"),
    [
        ("plays", {"expr": "2"}),
        ("plays", {"agg": "max"}),
        ("listeners_heard", {"expr": "artist_id"}),
    ],
)
def test_the_control_a_measure_that_counts_something_else_is_noticed(
    manifest: dict[str, Any],
    ask: Callable[[Definitions, str], tuple[Series, Series]],
    measure: str,
    changed: dict[str, str],
) -> None:
    definitions = Definitions(copy.deepcopy(manifest))
    definitions.measures[measure][1].update(changed)
    metric = {"plays": "scrobbles", "listeners_heard": "active_listeners"}[measure]
    found, elsewhere = ask(definitions, metric)
    assert found != pytest.approx(elsewhere)


def test_every_expression_and_column_of_a_semantic_model_is_there(
    manifest: dict[str, Any], published: Path
) -> None:
    asked = 0
    with duckdb.connect(str(published), read_only=True) as file:
        for model in manifest["semantic_models"].values():
            for part in (*model["entities"], *model["dimensions"], *model["measures"]):
                table = model["node_relation"]["alias"]
                expression = part["expr"] or part["name"]
                file.execute(f"select {expression} from marts.{table} limit 1")
                asked += 1
    assert asked >= 25


def test_the_time_spine_has_every_day_once(
    manifest: dict[str, Any], published: Path
) -> None:
    spine = manifest["nodes"]["model.scrobble_warehouse.dim_dates"]["time_spine"]
    day = spine["standard_granularity_column"]
    with duckdb.connect(str(published), read_only=True) as file:
        ((rows, days, first),) = file.execute(
            f"select count(*), max({day}) - min({day}) + 1, cast(min({day}) as text)"
            " from marts.dim_dates"
        ).fetchall()
        ((plays, dated),) = file.execute(
            f"select count(*), count({day}) from marts.fct_scrobbles"
            f" left join marts.dim_dates on {day} = scrobbled_date"
        ).fetchall()
    assert rows == days and first == "2002-10-01"
    assert plays == dated > 0
