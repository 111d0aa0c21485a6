"""A million scrobbles on PostgreSQL, from landing to readers, beside its peers.

    python bench/postgres.py [--scrobbles N]

On a throw-away server, in one run: the load into schema raw beside COPY of the same
rows; dbt's models beside the same statements by psql, one after the other, into tables
of their own; both beside the DuckDB run; and a further day (its load, build and
publish) beside the full one. Prints seconds by the clock and of processor (which says
more where others use the machine) and their ratios beside the aims.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import psutil
from sqlalchemy import create_engine, make_url, text

from bench import load as load_bench
from bench import models
from tests.system import start_postgres
from warehouse import ops, store
from warehouse.build import invoke_dbt, parsed_project, scope
from warehouse.lease import Lease
from warehouse.marts import read_marts
from warehouse.postgres_store import PostgresStore
from warehouse.report import Reporter
from warehouse.run import Run, Target
from warehouse.settings import Settings

DAY = date(2026, 11, 22)
SETTINGS = (
    "set enable_nestloop = off; set enable_mergejoin = off; set jit = off;"
    " set work_mem = '128MB';"
)


class Clock:
    """Seconds by the clock, and of processor: this process's and the server's.

    The second says more where others use the machine: waiting for a processor costs
    the clock only. A backend is counted when it has ended, so pools are closed first.
    """

    def __init__(self, postmaster: int) -> None:
        self.seconds: dict[str, float] = {}
        self.busy: dict[str, float] = {}
        self._server = psutil.Process(postmaster)

    def _used(self) -> float:
        server, mine = self._server.cpu_times(), os.times()
        alive = 0.0
        for backend in self._server.children():
            with suppress(psutil.Error):
                alive += sum(backend.cpu_times()[:2])
        ended = server.children_user + server.children_system
        return alive + ended + mine.user + mine.system + mine.children_user

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Note how long something took, and say so."""
        busy, started = self._used(), time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
        time.sleep(0.5)  # the postmaster counts a backend after it has ended
        self.busy[name] = self._used() - busy
        print(
            f"{name:<26} {self.seconds[name]:8.2f} s"
            f" {self.busy[name]:8.2f} s of processor",
            flush=True,
        )

    def ratio(self, ours: Sequence[str], theirs: Sequence[str]) -> tuple[float, float]:
        """By the clock and by the processor."""
        return (
            sum(self.seconds[name] for name in ours)
            / sum(self.seconds[name] for name in theirs),
            sum(self.busy[name] for name in ours)
            / sum(self.busy[name] for name in theirs),
        )


def dbt(target: Target, work: Path, built_through: int, command: str = "run") -> None:
    """Models only, one thread, as psql has one connection."""
    work.mkdir(parents=True, exist_ok=True)
    arguments = [command, *scope(built_through)]
    day = {
        "SCROBBLE_AS_OF_DATE": DAY.isoformat(),
        "SCROBBLE_BUILT_THROUGH": str(built_through),
        "SCROBBLE_THREADS": "1",
    }
    project = parsed_project(target, work / "parsed", work)
    result = invoke_dbt(target, arguments, work, day, project=project)
    assert result.success, result.exception


def psql_script(work: Path) -> str:
    """The statements of all models in their order, as tables in schema peer."""
    manifest = json.loads((work / "manifest.json").read_text())
    nodes = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    ordered: dict[str, None] = {}

    def put(key: str) -> None:
        for before in nodes[key]["depends_on"]["nodes"]:
            if before in nodes:
                put(before)
        ordered.setdefault(key)

    for key in sorted(nodes):
        put(key)
    lines = ["drop schema if exists peer cascade;", "create schema peer;", SETTINGS]
    for key in ordered:
        node = nodes[key]
        kind = "view" if node["config"]["materialized"] == "view" else "table"
        if node["config"]["materialized"] == "ephemeral":
            continue
        sql = models.by_hand(
            node["config"]["materialized"],
            node["compiled_code"],
            {name: c["data_type"] for name, c in node["columns"].items()},
        )
        lines.append(f"create {kind} peer.{node['name']} as {sql};")
        if kind == "table":
            lines.append(f"analyze peer.{node['name']};")
    return "\n".join(lines)


def psql(binaries: Path, url: str, script: Path) -> None:
    """Run a file by psql in one session."""
    database = make_url(url)
    done = subprocess.run(
        [
            str(binaries / "psql"),
            *("-h", str(database.host), "-p", str(database.port), "-q"),
            *("-U", str(database.username), "-d", str(database.database)),
            *("-v", "ON_ERROR_STOP=1", "-f", str(script)),
        ],
        env={**os.environ, "PGPASSWORD": str(database.password)},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def begin(settings: Settings, name: str, cache_dir: Path) -> tuple[Run, PostgresStore]:
    """A run that holds the lease and knows the marts of the parsed project."""
    engine = ops.open_ops(settings)
    lease = Lease(engine, name, settings.data_dir / "alive", 600)
    lease.acquire()
    run = Run(
        settings=settings,
        engine=engine,
        run_id=name,
        as_of_date=DAY,
        lease=lease,
        reporter=Reporter(quiet=True),
        work_dir=settings.data_dir / "work" / name,
        last_published=None,
        version=f"{DAY:%Y%m%d}-{lease.fence:06d}",
    )
    warehouse = PostgresStore(settings, engine)
    run.target = warehouse.open_candidate(run, None)
    run.work_dir.mkdir(parents=True, exist_ok=True)
    run.marts = read_marts(parsed_project(run.target, cache_dir, run.work_dir))
    return run, warehouse


def publish(run: Run, warehouse: PostgresStore) -> None:
    """Seal and publish what has been built, without the gates."""
    audit = warehouse.seal(run)
    warehouse.publish(
        run,
        store.Version(
            version=run.version,
            fence=run.lease.fence,
            run_id=run.run_id,
            as_of_date=DAY,
            published_at=ops.utcnow(),
            built_through=audit.built_through,
            project_hash="bench",
            bytes=audit.bytes,
            row_counts=audit.row_counts,
        ),
    )
    warehouse.discard(run)
    run.lease.release()
    run.engine.dispose()


def main() -> None:
    """Make the files, run everything, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scrobbles", type=int, default=1_000_000)
    scrobbles: int = options.parse_args().scrobbles
    server = start_postgres()
    clock = Clock(server.process.pid)
    try:
        url = server.new_database()
        with tempfile.TemporaryDirectory() as name:
            compare(Path(name), url, server.binaries, scrobbles, clock)
    finally:
        server.stop()


def compare(
    folder: Path, url: str, binaries: Path, scrobbles: int, clock: Clock
) -> None:
    """Everything in one folder and one database."""
    load_bench.make(folder, scrobbles)
    days = load_bench.SPAN // 86_400
    print(f"{scrobbles:,} scrobbles of {load_bench.LISTENERS} listeners in {days} days")
    load_bench.run_plain(folder, None)
    load_bench.write_csv(folder)
    with clock("COPY into PostgreSQL"):
        load_bench.run_copy(folder, url)
    engine = create_engine(url)
    settings = Settings(data_dir=folder / "data", warehouse_url=url, lease_seconds=600)
    run, warehouse = begin(settings, "full", folder / "parsed")
    with clock("load into PostgreSQL"):
        load_bench.run_load(folder, run.target.url)
    embedded = Target(duckdb_path=folder / "loaded.duckdb")
    with clock("load into DuckDB"):
        load_bench.run_load(folder, None)
    with duckdb.connect(str(embedded.duckdb_path)) as connection:
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"create schema if not exists {schema}")
    # A process's first invocation of dbt prepares for seconds what a run has ready.
    for target in (run.target, embedded):
        parsed_project(target, folder / "parsed", folder)
    with clock("dbt run on PostgreSQL"):
        dbt(run.target, folder / "dbt-server", 0)
    dbt(run.target, folder / "dbt-server", 0, "compile")
    script = folder / "peer.sql"
    script.write_text(psql_script(folder / "dbt-server"))
    with clock("the same SQL by psql"):
        psql(binaries, url, script)
    with clock("dbt run on DuckDB"):
        dbt(embedded, folder / "dbt-embedded", 0)
    with clock("first publish"):
        publish(run, warehouse)
    # A thousand plays of one listener on the day after the last one.
    further = folder / "further"
    first = load_bench.FIRST + load_bench.SPAN
    load_bench.make(further, load_bench.PAGE, "further", first=first, span=86_400)
    run, warehouse = begin(settings, "further", folder / "parsed")
    with clock("further day: load"):
        load_bench.run_load(further, run.target.url)
    with clock("further day: dbt run"):
        dbt(run.target, folder / "dbt-server", 1)
    with clock("further day: publish"):
        publish(run, warehouse)
    with engine.connect() as reader:
        shown = reader.execute(
            text("select count(*) from marts.fct_scrobbles")
        ).scalar_one()
    assert shown == scrobbles + load_bench.PAGE, shown
    engine.dispose()
    report(clock, scrobbles)


def report(clock: Clock, scrobbles: int) -> None:
    """The ratios beside their aims."""
    copy, load = "COPY into PostgreSQL", "load into PostgreSQL"
    build = "dbt run on PostgreSQL"
    for name in (copy, load):
        print(f"{name:<26} {scrobbles / clock.seconds[name]:>12,.0f} rows/s")
    day = ["further day: dbt run", "further day: publish"]
    for name, ours, theirs, aim in (
        ("load / COPY", [load], [copy], "3"),
        ("dbt / psql", [build], ["the same SQL by psql"], "1.3"),
        ("further day / full build", day, [build, "first publish"], "0.15"),
        ("load / load into DuckDB", [load], ["load into DuckDB"], "-"),
        ("dbt / dbt on DuckDB", [build], ["dbt run on DuckDB"], "-"),
    ):
        clocked, busy = clock.ratio(ours, theirs)
        print(f"{name:<26} {clocked:8.2f}   {busy:8.2f} of processor   aim {aim}")


if __name__ == "__main__":
    main()
