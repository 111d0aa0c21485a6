"""Fitted constants reach the models, and every value is made anew with them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exchange.value_fit import constants_of
from exchange.value_formula import advance, first_state, log_value, value_formula
from ingest import landing
from ingest.load.load import load
from tests.dbt_project.project import (
    RawWarehouse,
    day,
    differences,
    postgres_rows,
    run_dbt,
)
from tests.dbt_project.test_artist_values import counters
from warehouse import ops, store
from warehouse.cli import cli
from warehouse.run import Target

VALUES = "+fct_artist_values", "+value_constants"
ORDER = "value_date, artist_id"
OTHER = replace(
    value_formula(),
    level_gain=0.15,
    transient_gain=0.2,
    transient_gain_large=0.4,
    transient_damping=0.8,
)


def noted(load_id: int, constants: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """The raw rows of one fit."""
    return [
        {
            "load_id": load_id,
            "as_of_date": day(load_id - 1),
            "constant": name,
            "value": value,
            "fitted_at": f"{datetime(2025, 1, 1) + timedelta(hours=load_id)}",
            "first_day": "2025-01-01",
            "last_day": "2025-03-01",
            "split_day": "2025-02-01",
            "artists": 12,
            "steps": 500,
            "error": 0.1,
            "error_before": 0.11,
        }
        for name, value in constants.items()
    ]


def values(warehouse: RawWarehouse) -> list[dict[str, Any]]:
    return warehouse.rows("marts.fct_artist_values", ORDER)


def by_constant(warehouse: RawWarehouse) -> dict[str, dict[str, Any]]:
    rows = warehouse.rows("marts.value_constants", "constant")
    return {row["constant"]: row for row in rows}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> RawWarehouse:
    """A world of 12 artists, built for 69 days, and once more after a fit."""
    warehouse = RawWarehouse(tmp_path_factory.mktemp("fitted"))
    rows = counters(12, 70, is_dirty=True)
    warehouse.insert("lastfm__artist_infos", [r for r in rows if r["load_id"] < 70])
    warehouse.build(*VALUES)
    warehouse.insert("lastfm__artist_infos", [r for r in rows if r["load_id"] == 70])
    warehouse.insert("published__constants", noted(70, constants_of(OTHER)))
    warehouse.build(*VALUES, built_through=69)
    return warehouse


def test_the_day_after_a_fit_makes_every_value_as_a_full_build_does(
    fitted: RawWarehouse, tmp_path: Path
) -> None:
    grown = values(fitted)
    series: dict[str, list[dict[str, Any]]] = {}
    for row in grown:
        series.setdefault(row["artist_id"], []).append(row)
    for days in series.values():
        state = first_state(days[0]["log_attention"])
        for row in days[1:]:
            state, _ = advance(state, row["log_attention"], OTHER)
            assert math.isclose(row["level"], state.level, rel_tol=1e-9)
            assert math.isclose(row["log_value"], log_value(state, OTHER))
    before = [row["value_date"] for row in grown]
    assert min(before) < day(3) and max(before) == day(69)
    fitted.build(*VALUES, full_refresh=True)
    assert not differences(grown, values(fitted), 1e-12)


def test_the_mart_says_what_is_used_what_is_the_default_and_why(
    fitted: RawWarehouse,
) -> None:
    found = by_constant(fitted)
    assert found["level_gain"]["value"] == 0.15
    assert found["level_gain"]["default_value"] == 0.05
    assert found["level_gain"]["is_fitted"]
    assert found["level_gain"]["first_date"] == day(0)
    assert found["level_gain"]["error_before"] == 0.11
    assert found["pseudo_count"]["value"] == 5
    assert not found["pseudo_count"]["is_fitted"]
    assert found["pseudo_count"]["error"] is None
    own = constants_of(OTHER)["outlook_transient"]
    assert found["outlook_transient"]["value"] == own
    for row in found.values():
        assert row["meaning"] and row["unit"], row


@pytest.mark.postgres
def test_postgresql_uses_the_same_constants(
    fitted: RawWarehouse, tmp_path: Path, postgres_url: str
) -> None:
    fitted.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), tmp_path, *VALUES)
    found = postgres_rows(postgres_url, "marts_build.fct_artist_values", ORDER)
    assert not differences(values(fitted), found)
    constants = postgres_rows(postgres_url, "marts_build.value_constants", "constant")
    assert not differences(
        fitted.rows("marts.value_constants", "constant"), constants, 0
    )


def test_a_fit_is_landed_loaded_used_and_given_back(tmp_path: Path) -> None:
    """The whole way: the command, the load, the next build; then the defaults."""
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert("lastfm__artist_infos", counters(24, 80, is_dirty=False))
    warehouse.build(*VALUES)
    before = values(warehouse)
    engine = publish(warehouse, tmp_path)
    say(tmp_path, "fit", "--dry-run")
    with engine.begin() as connection:
        assert landing.list_parts(connection) == []
    # A world of the defaults: a fit is kept only if it is better on unseen days.
    facts = json.loads(say(tmp_path, "fit", "--json"))
    assert facts["steps"] > 300 and facts["artists"] == 24
    assert facts["is_kept"] == (facts["error"] < facts["error_before"])
    with engine.begin() as connection:
        assert len(landing.list_parts(connection)) == facts["is_kept"]
    assert "the defaults are noted" in say(tmp_path, "fit", "--defaults")
    with engine.begin() as connection:
        parts = landing.list_parts(connection, complete_only=True)
    target = Target(duckdb_path=warehouse.path)
    for number, part in enumerate(parts):
        loaded = load(
            target,
            tmp_path / "landing",
            [part],
            f"run {number}",
            day(80),
            tmp_path / "work",
            lambda _: None,
        )
        assert (loaded.rows, loaded.dead) == (6, 0)
        assert loaded.load_id is not None
        warehouse.build(*VALUES, built_through=loaded.load_id - 1)
        found = {name: row["value"] for name, row in by_constant(warehouse).items()}
        is_last = number == len(parts) - 1
        own = constants_of(value_formula()) if is_last else facts["constants"]
        assert {name: found[name] for name in own} == pytest.approx(own, abs=1e-4)
        assert (values(warehouse) == before) == is_last
    engine.dispose()


def publish(warehouse: RawWarehouse, data_dir: Path) -> Any:
    """Make the built file what the command reads; returns the journal's engine."""
    from warehouse.settings import Settings

    pointer = {"file": warehouse.path.name}
    (data_dir / "published.json").write_text(json.dumps(pointer))
    engine = ops.open_ops(Settings(data_dir=data_dir))
    ops.ensure_tables(engine, landing.metadata)
    version = store.Version(
        version="20250321-000001",
        fence=1,
        run_id="run",
        as_of_date=day(79),
        published_at=datetime(2025, 3, 21, 6),
        built_through=1,
        project_hash="",
        bytes=1,
        row_counts={},
    )
    with engine.begin() as connection:
        store.record_version(connection, version)
    return engine


def say(data_dir: Path, *arguments: str) -> str:
    """What the command prints."""
    given = [*arguments, "--data-dir", str(data_dir)]
    result = CliRunner().invoke(cli, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_too_little_history_writes_nothing(tmp_path: Path) -> None:
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert("lastfm__artist_infos", counters(24, 50, is_dirty=False))
    warehouse.build(*VALUES)
    engine = publish(warehouse, tmp_path)
    result = CliRunner().invoke(cli, ["fit", "--data-dir", str(tmp_path)])
    assert "a fit needs 60 days of 20 artists; there are 49 days" in str(
        result.exception
    )
    assert str(result.exception).endswith("nothing is written")
    with engine.begin() as connection:
        assert landing.list_parts(connection) == []
    engine.dispose()
