"""What a further day costs on the demo world, on both engines.

    python -m bench.days [--history 60] [--days 5] [--engine duckdb] [--tables]

The first run brings in the history, each further run the day after, whole runs of the
command `daily`, each in a process of its own. Printed of every day: the touched
listener-days, the rows loaded and how many of them say something that raw did not
hold, seconds by the clock and of processor (this process, dbt's, and the server's
backends) of load, build and publish, and the size of the version (PostgreSQL: of the
database). Ratios follow: a further day's build to the first run's own build, the median
of the days; and PostgreSQL's first run to DuckDB's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import psutil
from sqlalchemy import create_engine

from ingest.lastfm.recipes import PAGE_COLUMNS, ROW_TABLES, SCHEMA
from tests.system import start_postgres
from warehouse.daily import daily
from warehouse.report import Reporter
from warehouse.settings import Settings

ENGINES = ("duckdb", "postgres")
STEPS = ("load", "build", "publish")
# A backend's seconds are counted by the postmaster a moment after it has ended.
ENDING_SECONDS = 0.2
AIMS = {"duckdb": 0.4, "postgres": 0.3}
ROWS_AIM = 1.5
FIRST_RUN_AIM = 3.0


@dataclass
class DayFigures:
    """One run. Seconds by step; `busy` is processor time, `size` in bytes.

    `rows` by raw table: loaded, and of those the ones whose content is new.
    """

    as_of: str
    touched: int = 0
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    size: int = 0

    @property
    def loaded(self) -> int:
        """Rows loaded into all tables."""
        return sum(loaded for loaded, _ in self.rows.values())

    @property
    def changed(self) -> int:
        """Rows loaded whose content no earlier load has brought."""
        return sum(changed for _, changed in self.rows.values())

    def total(self, *without: str) -> float:
        """Seconds of all steps by the clock, but for those named."""
        return sum(took for step, took in self.seconds.items() if step not in without)


class StepClock(Reporter):
    """A silent reporter that notes what each step took."""

    def __init__(self, figures: DayFigures, postmaster: int | None) -> None:
        super().__init__(quiet=True)
        self.figures = figures
        self._roots = [psutil.Process()]
        if postmaster is not None:
            self._roots.append(psutil.Process(postmaster))
        self._name = ""
        self._busy = 0.0

    def _used(self) -> float:
        """Processor seconds of the roots and all that came of them, ended or not."""
        used = 0.0
        for root in self._roots:
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):
                    used += sum(process.cpu_times()[:4])
        return used

    def start(self, step: str) -> None:
        self._name, self._busy = step, self._used()
        super().start(step)

    def finish(self, text: str) -> float:
        seconds = super().finish(text)
        time.sleep(ENDING_SECONDS)
        self.figures.seconds[self._name] = seconds
        self.figures.busy[self._name] = self._used() - self._busy
        return seconds


Query = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def published(settings: Settings, version: str) -> Iterator[tuple[Query, int]]:
    """Queries on what a run has published, and its bytes."""
    if settings.warehouse_url is None:
        path = settings.data_dir / "versions" / f"warehouse-{version}.duckdb"
        with duckdb.connect(str(path), read_only=True) as file:
            yield lambda sql: file.execute(sql).fetchall(), path.stat().st_size
        return
    engine = create_engine(settings.warehouse_url)
    try:
        with engine.connect() as connection:

            def query(sql: str) -> list[tuple[Any, ...]]:
                return [tuple(row) for row in connection.exec_driver_sql(sql)]

            size = "select pg_database_size(current_database())"
            yield query, int(query(size)[0][0])
    finally:
        engine.dispose()


def content_changes(query: Query) -> dict[str, tuple[int, int]]:
    """Of the newest load, by table: rows, and those that no earlier load brought."""
    newest = query(f"select max(load_id) from {SCHEMA}.loads")[0][0]
    found: dict[str, tuple[int, int]] = {}
    for table in ROW_TABLES:
        names = ", ".join(
            f'"{name}"' for name in table.column_names if name not in PAGE_COLUMNS
        )
        rows = f"from {SCHEMA}.{table.name} where load_id"
        loaded, changed = query(
            f"select (select count(*) {rows} = {newest}), (select count(*) from"
            f" (select {names} {rows} = {newest} except select {names} {rows} <"
            f" {newest}) as changed)"
        )[0]
        if loaded:
            found[table.name] = (int(loaded), int(changed))
    return found


def run_day(settings: Settings, as_of: date, postmaster: int | None) -> DayFigures:
    """One daily run and what can be read of it afterwards."""
    figures = DayFigures(as_of.isoformat())
    outcome = daily(settings, as_of=as_of, reporter=StepClock(figures, postmaster))
    assert outcome.version is not None, outcome.text
    with published(settings, outcome.version) as (query, figures.size):
        figures.rows = content_changes(query)
        figures.touched = int(
            query("select count(*) from intermediate.int_touched_days")[0][0]
        )
    return figures


def measure(
    folder: Path, as_of: date, history: int, url: str | None, postmaster: int | None
) -> DayFigures:
    """A day in a process of its own, without this process's settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in Settings.model_fields
    }
    task = {
        "data_dir": str(folder),
        "warehouse_url": url,
        "backfill_days": history,
        "as_of": as_of.isoformat(),
        "postmaster": postmaster,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.days", "--task", json.dumps(task)],
        cwd=Path(__file__).parents[1],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1800,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    found["rows"] = {name: tuple(counts) for name, counts in found["rows"].items()}
    return DayFigures(**found)


def run_task(task: dict[str, Any]) -> None:
    """What `measure` starts: one day, its figures on the last line."""
    settings = Settings(
        data_dir=Path(task["data_dir"]),
        warehouse_url=task["warehouse_url"],
        backfill_days=task["backfill_days"],
    )
    as_of = date.fromisoformat(task["as_of"])
    print(json.dumps(asdict(run_day(settings, as_of, task["postmaster"]))))


def run_engine(engine: str, history: int, days: int) -> list[DayFigures]:
    """The first run and the further days, printed as they come."""
    first = datetime.now(UTC).date() - timedelta(days=days + 1)
    print(f"\n{engine}: {history} days, then {days} further days", flush=True)
    words = " ".join(f"{step + ' s':>9} {'busy':>6}" for step in STEPS)
    print(
        f"{'day':<11}{'touched':>8}{'loaded':>9}{'changed':>9} {words}  whole s    MB"
    )
    server = start_postgres() if engine == "postgres" else None
    found = []
    try:
        url = server.new_database() if server is not None else None
        pid = server.process.pid if server is not None else None
        with tempfile.TemporaryDirectory() as folder:
            for number in range(days + 1):
                as_of = first + timedelta(days=number)
                found.append(measure(Path(folder), as_of, history, url, pid))
                show(found[-1])
    finally:
        if server is not None:
            server.stop()
    return found


def show(day: DayFigures) -> None:
    """One line of the table."""
    steps = " ".join(
        f"{day.seconds[step]:9.2f} {day.busy[step]:6.2f}" for step in STEPS
    )
    print(
        f"{day.as_of:<11}{day.touched:>8,}{day.loaded:>9,}{day.changed:>9,}"
        f" {steps} {day.total():8.1f} {day.size / 1e6:5.0f}",
        flush=True,
    )


def show_tables(further: list[DayFigures]) -> None:
    """The median further day's rows by table, most loaded first."""
    names = {name for day in further for name in day.rows}
    counts = {
        name: [
            median(day.rows.get(name, (0, 0))[place] for day in further)
            for place in (0, 1)
        ]
        for name in names
    }
    print("rows of a further day     loaded  changed")
    for name, (loaded, changed) in sorted(counts.items(), key=lambda c: -c[1][0]):
        print(f"  {name:<28}{loaded:>9,.0f}{changed:>9,.0f}")


def report(found: dict[str, list[DayFigures]]) -> None:
    """The ratios beside their aims."""
    print()
    for engine, (first, *further) in found.items():
        clocked = median(day.seconds["build"] for day in further)
        busy = median(day.busy["build"] for day in further)
        print(
            f"{engine}: build of a further day / first build"
            f" {clocked / first.seconds['build']:8.2f}"
            f" {busy / first.busy['build']:8.2f} of processor   aim {AIMS[engine]}"
        )
        rows = median(day.loaded / max(1, day.changed) for day in further)
        print(f"{engine}: rows loaded / changed {rows:22.2f}   aim {ROWS_AIM}")
    if found.keys() == set(ENGINES):
        ours, theirs = found["postgres"][0], found["duckdb"][0]
        print(
            f"first run on PostgreSQL / on DuckDB {ours.total() / theirs.total():14.2f}"
            f" {ours.total('fetch') / theirs.total('fetch'):8.2f} without the fetch"
            f"   aim {FIRST_RUN_AIM:.0f}"
        )


def main() -> None:
    """Run the engines, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--history", type=int, default=60, help="days brought in")
    options.add_argument("--days", type=int, default=5, help="further days")
    options.add_argument("--engine", choices=ENGINES, action="append")
    options.add_argument("--tables", action="store_true", help="rows of each table")
    options.add_argument("--task", type=json.loads, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.task:
        run_task(chosen.task)
        return
    found = {}
    for engine in chosen.engine or ENGINES:
        found[engine] = run_engine(engine, chosen.history, chosen.days)
        if chosen.tables:
            show_tables(found[engine][1:])
    report(found)


if __name__ == "__main__":
    main()
