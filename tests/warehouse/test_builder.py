"""dbt's own process: ready beside the fetch, ended with the run, and missed if dead."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

import warehouse.build
from warehouse.build import parsed_project
from warehouse.builder import Builder
from warehouse.duckdb_store import FILE
from warehouse.errors import BuildFailed
from warehouse.project import files_hash
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


def build(builder: Builder, folder: Path, seen: list[str]) -> None:
    """Build in an empty database, in which every model fails at once."""
    builder.build(
        lambda _done, _of, name: seen.append(name),
        target=Target(duckdb_path=folder / FILE),
        as_of_date=date(2026, 11, 22),
        built_through=0,
        work_dir=folder,
        threads=2,
    )


def test_a_project_is_parsed_once_for_all_databases_of_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is parsed for one database speaks of another as if parsed for that."""
    one, other = (Target(duckdb_path=tmp_path / f"{name}.duckdb") for name in "ab")
    installed = parsed_project(one, tmp_path / "unused", tmp_path)
    assert not (tmp_path / "unused").exists(), "run make install: the project changed"
    monkeypatch.setattr(warehouse.build, "INSTALLED", tmp_path / "nothing")
    cache = tmp_path / "cache"
    parsed = parsed_project(other, cache, tmp_path)
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    again = parsed_project(one, cache, tmp_path)
    assert (kept.stat().st_mtime_ns, list(cache.iterdir())) == (written, [kept])

    def relations(project: Any) -> dict[str, tuple[str, str | None]]:
        nodes = (*project.nodes.values(), *project.sources.values())
        return {node.unique_id: (node.database, node.relation_name) for node in nodes}

    assert relations(again) == relations(installed)
    assert relations(parsed) != relations(installed)
    assert {database for database, _ in relations(parsed).values()} == {"b"}


def test_what_fails_is_said_and_what_dbt_writes_stays_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a run is relative by default; the project must not change."""
    monkeypatch.chdir(tmp_path)
    folder = Path("work")
    folder.mkdir()
    before = files_hash()
    seen = list[str]()
    with (
        Builder(Target(duckdb_path=tmp_path / FILE), tmp_path / "cache") as builder,
        pytest.raises(BuildFailed, match=r"model stg_\w+: error — .*raw"),
    ):
        build(builder, folder, seen)
    assert "stg_ledger__loads" in seen
    assert (folder / "dbt" / "compiled").is_dir()
    assert files_hash() == before
    assert not psutil.pid_exists(builder.pid)


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
