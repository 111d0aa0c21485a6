"""Retention deletes landing files only when every kept version holds their rows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from ingest import landing
from ingest.lastfm.recipes import create_raw_tables
from ingest.steps import expire_landing
from warehouse import ops, store
from warehouse.lease import Lease
from warehouse.report import Reporter
from warehouse.run import Run, Target
from warehouse.settings import Settings

TODAY = date(2026, 3, 31)
AGES = (0, 5, 20, 40)


@pytest.mark.parametrize(
    ("keep_days", "oldest_kept", "loaded", "left"),
    [
        (10, 1, AGES, {0, 5}),
        (10, 30, AGES, {0, 5, 20}),
        (10, 1, (0, 5, 20), {0, 5, 40}),
        (None, 1, AGES, set(AGES)),
    ],
)
def test_what_is_old_and_in_every_kept_version_goes_and_nothing_else(
    tmp_path: Path,
    keep_days: int | None,
    oldest_kept: int,
    loaded: tuple[int, ...],
    left: set[int],
) -> None:
    settings = Settings(data_dir=tmp_path, keep_landing_days=keep_days)
    engine = ops.open_ops(settings)
    ops.ensure_tables(engine, landing.metadata)
    parts = {
        age: landing.write_part(
            tmp_path / "landing", TODAY - timedelta(days=age), "run", [], engine
        )
        for age in AGES
    }
    path = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw")
        create_raw_tables(connection, "duckdb")
        for age in loaded:
            connection.execute(
                "insert into raw.load_parts (load_id, part, bytes, answers)"
                " values (1, ?, 0, 0)",
                [parts[age].part],
            )
    with engine.begin() as connection_:
        for fence, age in enumerate((oldest_kept, 0), start=1):
            store.record_version(
                connection_,
                store.Version(
                    version=f"v{fence}",
                    fence=fence,
                    run_id="run",
                    as_of_date=TODAY - timedelta(days=age),
                    published_at=ops.utcnow(),
                    built_through=1,
                    project_hash="x",
                    bytes=0,
                    row_counts={},
                ),
            )
    run = Run(
        settings=settings,
        engine=engine,
        run_id="run",
        as_of_date=TODAY,
        lease=Lease(engine, "run", tmp_path / "alive", 60),
        reporter=Reporter(quiet=True),
        work_dir=tmp_path / "work",
        last_published=TODAY,
        target=Target(duckdb_path=path),
    )
    expire_landing(run)
    there = {age for age in AGES if (tmp_path / "landing" / parts[age].part).exists()}
    assert there == left
    engine.dispose()
