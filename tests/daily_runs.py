"""Daily runs as a person starts them: child processes in a folder of their own.

Owns a small day of the demo world (few listeners, few artists) that takes seconds, two
such days that are made once for all tests, and what is compared of two warehouses that
should hold the same.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Engine, create_engine, text

from local_lastfm import LocalLastfm

ROOT = Path(__file__).parents[1]
SMALL = {
    "LASTFM_TOP_ARTISTS": "15",
    "LASTFM_COUNTRIES": "Germany",
    "LASTFM_TAGS": "ambient",
    "BACKFILL_DAYS": "3",
    "LEASE_SECONDS": "3",
    # Tests run beside each other: two threads of one dbt mostly wait for one another.
    "THREADS": "1",
    # A copy for tools, which few tests look at.
    "MARTS_FILE": "0",
}
# A day that is over: what is asked of a day that goes on grows with the clock.
SECOND_DAY = datetime.now(UTC).date() - timedelta(days=1)
FIRST_DAY = SECOND_DAY - timedelta(days=1)
# What must be equal however often a run died: everything but when it was asked, and
# the mbids of tracks that a day which is asked again asks for beside the others.
COMPARED = {
    "fct_scrobbles": "listener_id, scrobbled_at, artist_id, track_id, album_id",
    "fct_artist_snapshots": "artist_id, snapshot_date, listeners, playcount",
    "top_charts": "entity_type, period, period_start, entity_id, rank, scrobbles",
    "fct_chart_positions": "chart, scope, period, issue_date, entity_id, rank",
    "chart_issues": "chart, scope, period, issue_date, revision, finality, places",
    "restatements": "subject, entity_type, entity_id, restated_date, new_value",
    "listener_top": "listener_id, entity_type, period, period_start, rank, entity_id",
    "totals": "period, period_start, scrobbles, tracks, artists, listeners",
    "artist_list_history": "artist_id, list_name, item_id, rank, valid_from_date",
}


@dataclass(frozen=True)
class Shown:
    """What readers see: the published version, and rows and a hash of each mart."""

    version: str
    marts: dict[str, tuple[Any, ...]]


@dataclass
class Daily:
    """A warehouse folder and the environment its runs see."""

    data_dir: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """The command line of `scrobble`."""
        return [sys.executable, "-m", "warehouse", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run and do not wait for it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Run to the end; returns what it said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == expect, said
        return said

    def newest_run(self) -> tuple[int, str] | None:
        """The newest run's fence, and its step or how it ended; None before any."""
        path = self.data_dir / "ops.sqlite"
        if not path.exists():
            return None
        with closing(sqlite3.connect(path, timeout=10)) as journal:
            try:
                row = journal.execute(
                    "select fence, step, state from runs order by fence desc limit 1"
                ).fetchone()
            except sqlite3.OperationalError:
                return None
        if row is None:
            return None
        fence, step, state = row
        return int(fence), str(step if state == "running" else state)

    def step(self) -> str | None:
        """The step the newest run is in, or how it ended."""
        newest = self.newest_run()
        return newest[1] if newest else None

    def wait_for(
        self, step: str, process: subprocess.Popen[str], after: int = 0
    ) -> bool:
        """Wait until a run with a fence past `after` is in this step.

        False when the process ended before.
        """
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            newest = self.newest_run()
            if newest is not None and newest[0] > after and newest[1] == step:
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.01)
        raise AssertionError(f"no run came to step {step} within two minutes")

    def published(self) -> dict[str, str] | None:
        """The pointer's content."""
        path = self.data_dir / "published.json"
        return json.loads(path.read_text()) if path.exists() else None

    @contextmanager
    def open_published(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published version, read-only."""
        pointer = self.published()
        assert pointer is not None, "nothing is published"
        path = self.data_dir / pointer["file"]
        with duckdb.connect(str(path), read_only=True) as connection:
            yield connection

    def fingerprint(self) -> dict[str, tuple[Any, ...]]:
        """Rows and a hash of every compared mart of the published version."""
        return self.shown().marts

    def shown(self) -> Shown:
        """The published version as one reader sees it."""
        pointer = self.published()
        assert pointer is not None, "nothing is published"
        with self.open_published() as connection:
            marts = {
                mart: connection.execute(
                    f"select count(*), coalesce(bit_xor(hash(({columns})))::varchar,"
                    f" '') from marts.{mart}"
                ).fetchall()[0]
                for mart, columns in COMPARED.items()
            }
        return Shown(pointer["version"], marts)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the published version answers."""
        with self.open_published() as connection:
            return connection.execute(sql).fetchall()

    def market(self) -> str:
        """The market's state."""
        with closing(sqlite3.connect(self.data_dir / "exchange.sqlite")) as exchange:
            ((state,),) = exchange.execute("select state from market")
        return str(state)


@dataclass
class PostgresDaily(Daily):
    """A warehouse in a database of PostgreSQL, with its folder."""

    @cached_property
    def database(self) -> Engine:
        """The database; its owner disposes of the connections."""
        return create_engine(self.environment["WAREHOUSE_URL"])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def newest_run(self) -> tuple[int, str] | None:
        if self.rows("select to_regclass('ops.runs')") == [(None,)]:
            return None
        found = self.rows(
            "select fence, case when state = 'running' then step else state end"
            " from ops.runs order by fence desc limit 1"
        )
        return (int(found[0][0]), str(found[0][1])) if found else None

    def published(self) -> dict[str, str] | None:
        found = self.rows("select version, as_of_date from ops.published")
        return {"version": found[0][0], "as_of": str(found[0][1])} if found else None

    def shown(self) -> Shown:
        # One snapshot: what a killed run has sent may still be done meanwhile.
        options = {"isolation_level": "REPEATABLE READ"}
        with self.database.connect().execution_options(**options) as connection:
            version = connection.execute(text("select version from ops.published"))
            return Shown(
                str(version.scalar_one()),
                {
                    mart: tuple(
                        connection.execute(
                            text(
                                "select count(*),"
                                f" sum(cast(hash_record_extended(row({columns}), 0)"
                                f" as numeric)) from marts.{mart}"
                            )
                        ).one()
                    )
                    for mart, columns in COMPARED.items()
                },
            )

    def market(self) -> str:
        return str(self.rows("select state from exchange.market")[0][0])


def make_daily(data_dir: Path, url: str, listeners: tuple[str, ...]) -> Daily:
    """A warehouse in `data_dir` that fetches the small day from the server at `url`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LASTFM_", "WAREHOUSE_", "SCROBBLE_"))
    }
    return Daily(
        data_dir,
        {
            **kept,
            **SMALL,
            "DATA_DIR": str(data_dir),
            "LASTFM_URL": url,
            "LASTFM_LISTENERS": ",".join(listeners),
            "SCROBBLE_CONFIG": str(data_dir / "none.toml"),
        },
    )


def small_daily(lastfm: LocalLastfm, data_dir: Path) -> Daily:
    """A warehouse in `data_dir` for four listeners of the demo world."""
    return make_daily(data_dir, lastfm.as_of_url, lastfm.world.listeners[:4])


def copy_of(lastfm: LocalLastfm, source: Path, data_dir: Path) -> Daily:
    """The same warehouse in another folder, to go on from."""
    shutil.copytree(source, data_dir)
    return small_daily(lastfm, data_dir)


def once(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first test process to come makes for all; not to be changed.

    Args:
        folder: shared by the test processes.
        make: fills a folder that is not there yet.
    """
    made = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            growing = folder / f"{name}.growing"
            shutil.rmtree(growing, ignore_errors=True)
            make(growing)
            growing.rename(made)
    return made


def made_once(
    folder: Path, lastfm: LocalLastfm, day: date, before: Path | None
) -> Path:
    """A small warehouse that has published `day`, for all test processes to copy.

    Args:
        before: the warehouse to go on from, if any.
    """

    def make(growing: Path) -> None:
        daily = small_daily(lastfm, growing)
        if before is not None:
            shutil.copytree(before, growing)
        said = daily.run("daily", "--as-of", str(day))
        (growing / "said.txt").write_text(said)

    return once(folder, f"small-{day}", make)
