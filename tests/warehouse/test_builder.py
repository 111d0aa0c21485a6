"""dbt's own process: ready beside the fetch, ended with the run, and missed if dead."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import psutil
import pytest

from warehouse.builder import Builder
from warehouse.duckdb_store import FILE
from warehouse.errors import BuildFailed
from warehouse.run import Target

SLEEPER = """
import sys, time
from pathlib import Path
from warehouse.builder import Builder
from warehouse.run import Target
with Builder(Target(duckdb_path=Path(sys.argv[1])), Path(sys.argv[2])) as builder:
    print(builder.pid, flush=True)
    time.sleep(60)
"""


def build(builder: Builder, folder: Path, seen: list[str], file: str = FILE) -> None:
    """Build in an empty database, in which every model fails at once."""
    builder.build(
        lambda _done, _of, name: seen.append(name),
        target=Target(duckdb_path=folder / file),
        as_of_date=date(2026, 11, 22),
        built_through=0,
        work_dir=folder,
        threads=2,
    )


def test_the_project_is_parsed_once_and_what_fails_is_said(tmp_path: Path) -> None:
    # Installing has parsed it for the usual name of a database.
    file = "another.duckdb"
    kind = Target(duckdb_path=tmp_path / file)
    times, seen = [], list[str]()
    for number in range(2):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        with (
            Builder(kind, tmp_path / "cache") as builder,
            pytest.raises(BuildFailed, match=r"model stg_\w+: error — .*raw"),
        ):
            build(builder, folder, seen, file)
        times.append([p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()])
        assert not psutil.pid_exists(builder.pid)
    assert len(times[0]) == 1
    assert times[0] == times[1]
    assert "stg_ledger__loads" in seen


def test_what_installing_has_parsed_is_not_parsed_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with (
        Builder(Target(duckdb_path=tmp_path / FILE), cache) as builder,
        pytest.raises(BuildFailed, match=r"model stg_\w+: error — .*raw"),
    ):
        build(builder, tmp_path, [])
    assert not cache.exists(), "the project has changed since: run make install"


def test_a_run_that_fails_meanwhile_ends_dbt(tmp_path: Path) -> None:
    kind = Target(duckdb_path=tmp_path / FILE)
    with pytest.raises(OSError, match="no answer"), Builder(kind, tmp_path) as builder:
        raise OSError("no answer")
    assert not psutil.pid_exists(builder.pid)
    assert not list(tmp_path.iterdir())


def test_dbt_that_dies_is_a_failed_build(tmp_path: Path) -> None:
    with Builder(Target(duckdb_path=tmp_path / FILE), tmp_path) as builder:
        psutil.Process(builder.pid).kill()
        with pytest.raises(BuildFailed, match=r"died \(exit code -9\)"):
            build(builder, tmp_path, [])


def test_dbt_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(tmp_path / FILE), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    with run, run.stdout:
        dbt = psutil.Process(int(run.stdout.readline()))
        run.kill()
    _, alive = psutil.wait_procs([dbt], timeout=30)
    assert not alive
