"""A million scrobbles on PostgreSQL, from landing to readers, beside its peers.

    python bench/postgres.py [--scrobbles N]

On a throw-away server, in one run: the load into schema raw beside COPY of the same
rows; dbt's models beside the same statements by psql, one after the other, into tables
of their own; both beside the DuckDB run; and a further day (its load, build and
publish) beside the full one. Prints seconds and ratios; the aims stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
from sqlalchemy import create_engine, make_url, text

from bench import load as load_bench
from tests.system import start_postgres
from warehouse import ops, store
from warehouse.build import _invoke, _vars, _Watcher
from warehouse.lease import Lease
from warehouse.postgres_store import PostgresStore
from warehouse.report import Reporter
from warehouse.run import Run, Target
from warehouse.settings import Settings

DAY = date(2026, 11, 22)
# Between two scrobbles of the whole panel: a million take three years.
SPACING = 95
FIRST = 1_600_000_000
SETTINGS = "set enable_nestloop = off; set jit = off; set work_mem = '128MB';"


def spread(body: bytes) -> bytes:
    """A page of the load's bench with its scrobbles over years instead of days."""

    def later(found: re.Match[bytes]) -> bytes:
        uts = FIRST + (int(found[1]) - FIRST) * SPACING
        return b'"uts":"%d"' % uts

    return re.sub(rb'"uts":"(\d+)"', later, body)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something took, and say so."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
    print(f"{name:<34} {seconds[name]:8.2f} s", flush=True)


def note(seconds: dict[str, float], name: str, taken: float) -> None:
    """Note seconds that somebody else measured."""
    seconds[name] = taken
    print(f"  {name:<32} {taken:8.2f} s", flush=True)


def dbt(target: Target, work: Path, built_through: int, command: str = "run") -> float:
    """Models only, one thread, as psql has one connection; the seconds within models.

    The rest of the time dbt reads the project, however long the history is.
    """
    work.mkdir(parents=True, exist_ok=True)
    arguments = [command, "--vars", _vars(DAY, built_through)]
    if built_through == 0 and command != "parse":
        arguments.append("--full-refresh")
    result = _invoke(target, arguments, work, 1, _Watcher(lambda *_: None))
    assert result.success, result.exception
    nodes = getattr(result.result, "results", ())
    return float(sum(node.execution_time for node in nodes))


def psql_script(work: Path) -> str:
    """The statements of all models in their order, as tables in schema peer."""
    manifest = json.loads((work / "manifest.json").read_text())
    models = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    ordered: dict[str, None] = {}

    def put(key: str) -> None:
        for before in models[key]["depends_on"]["nodes"]:
            if before in models:
                put(before)
        ordered.setdefault(key)

    for key in sorted(models):
        put(key)
    lines = ["drop schema if exists peer cascade;", "create schema peer;", SETTINGS]
    for key in ordered:
        node = models[key]
        kind = "view" if node["config"]["materialized"] == "view" else "table"
        if node["config"]["materialized"] == "ephemeral":
            continue
        sql = node["compiled_code"].strip().rstrip(";")
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


def begin(settings: Settings, name: str) -> tuple[Run, PostgresStore]:
    """A run that holds the lease."""
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
    pages = load_bench.page_of

    def spread_pages(*arguments: object) -> bytes:
        return spread(pages(*arguments))  # type: ignore[arg-type]

    load_bench.page_of = spread_pages
    seconds: dict[str, float] = {}
    server = start_postgres()
    try:
        url = server.new_database()
        with tempfile.TemporaryDirectory() as name:
            compare(Path(name), url, server.binaries, scrobbles, seconds)
    finally:
        server.stop()


def compare(
    folder: Path, url: str, binaries: Path, scrobbles: int, seconds: dict[str, float]
) -> None:
    """Everything in one folder and one database."""
    load_bench.make(folder, scrobbles)
    print(f"{scrobbles:,} scrobbles of 50 listeners over {spanned(scrobbles)} days")
    load_bench.run_plain(folder, None)
    load_bench.write_csv(folder)
    with timed(seconds, "COPY into PostgreSQL"):
        load_bench.run_copy(folder, url)
    engine = create_engine(url)
    settings = Settings(data_dir=folder / "data", warehouse_url=url, lease_seconds=600)
    run, warehouse = begin(settings, "full")
    with timed(seconds, "load into PostgreSQL"):
        load_bench.run_load(folder, run.target.url)
    embedded = Target(duckdb_path=folder / "loaded.duckdb")
    with timed(seconds, "load into DuckDB"):
        load_bench.run_load(folder, None)
    with duckdb.connect(str(embedded.duckdb_path)) as connection:
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"create schema if not exists {schema}")
    # Once before, so that both find the project parsed.
    dbt(Target(url=url), folder / "dbt-server", 0, "parse")
    with timed(seconds, "dbt run on PostgreSQL"):
        models = dbt(run.target, folder / "dbt-server", 0)
    note(seconds, "its models, PostgreSQL", models)
    dbt(run.target, folder / "dbt-server", 0, "compile")
    script = folder / "peer.sql"
    script.write_text(psql_script(folder / "dbt-server"))
    with timed(seconds, "the same SQL by psql"):
        psql(binaries, url, script)
    dbt(embedded, folder / "dbt-embedded", 0, "parse")
    with timed(seconds, "dbt run on DuckDB"):
        models = dbt(embedded, folder / "dbt-embedded", 0)
    note(seconds, "its models, DuckDB", models)
    with timed(seconds, "first publish"):
        publish(run, warehouse)
    # The next page begins where the last one ended: a thousand plays, about a day.
    further = folder / "further"
    further.mkdir()
    original = load_bench.page_of
    load_bench.page_of = lambda number, total, dice: original(
        number + scrobbles // load_bench.PAGE, total, dice
    )
    load_bench.make(further, load_bench.PAGE)
    run, warehouse = begin(settings, "further")
    with timed(seconds, "further day: load"):
        load_bench.run_load(further, run.target.url)
    with timed(seconds, "further day: dbt run"):
        models = dbt(run.target, folder / "dbt-server", 1)
    note(seconds, "further day: models", models)
    with timed(seconds, "further day: publish"):
        publish(run, warehouse)
    with engine.connect() as reader:
        shown = reader.execute(
            text("select count(*) from marts.fct_scrobbles")
        ).scalar_one()
    assert shown > 0.9 * scrobbles, shown
    engine.dispose()
    report(seconds, scrobbles)


def spanned(scrobbles: int) -> int:
    """The days that the scrobbles lie in."""
    return scrobbles * SPACING // 86_400


def report(seconds: dict[str, float], scrobbles: int) -> None:
    """The ratios beside their aims."""
    full = seconds["dbt run on PostgreSQL"] + seconds["first publish"]
    day = seconds["further day: dbt run"] + seconds["further day: publish"]
    models = seconds["its models, PostgreSQL"] + seconds["first publish"]
    more = seconds["further day: models"] + seconds["further day: publish"]
    loaded, copied = seconds["load into PostgreSQL"], seconds["COPY into PostgreSQL"]
    peer = seconds["the same SQL by psql"]
    print(f"\nCOPY {scrobbles / copied:,.0f} rows/s, load {scrobbles / loaded:,.0f}")
    for name, ratio, aim in (
        ("load / COPY", loaded / copied, "3"),
        ("dbt / psql", seconds["dbt run on PostgreSQL"] / peer, "1.3"),
        ("its models / psql", seconds["its models, PostgreSQL"] / peer, "1.3"),
        ("a further day / the full build", day / full, "0.15"),
        ("the same, within models", more / models, "0.15"),
        ("load, PostgreSQL / DuckDB", loaded / seconds["load into DuckDB"], "-"),
        (
            "models, PostgreSQL / DuckDB",
            seconds["its models, PostgreSQL"] / seconds["its models, DuckDB"],
            "-",
        ),
    ):
        print(f"{name:<34} {ratio:8.2f}   aim {aim}")


if __name__ == "__main__":
    main()
