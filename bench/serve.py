"""What an answer of the service costs beside its peers, in one run on loopback.

    python -m bench.serve [seconds a measurement]

Needs ``wrk`` (Debian: ``apt-get install wrk``). A hit and a 304 are compared with a
bare WSGI application that returns the same ready bytes, with two headers and with all
that the service sends; a miss (the cache switched off) with FastAPI + asyncpg + uvicorn
sending the same query, and with Datasette. Those two peers live in a virtual
environment of their own (``build/bench-peers``), made at the first run because the
project does not depend on them. Compared is the processor time of the server's
processes (of PostgreSQL's too, where it works) for each answer, because the load
generator shares the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from serve.queries.charts import _ENTRY
from tests.mart_columns import mart_columns
from tests.serve.marts import (
    World,
    key,
    make_world,
    publish,
    version_path,
    write_duckdb,
    write_postgres,
)
from tests.system import PostgresServer, start_postgres

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "build" / "bench-peers"
PACKAGES = ("fastapi", "asyncpg", "uvicorn[standard]", "orjson", "datasette")
VERSION = "20260314-000001"
CHART = "/api/v1/charts/global_artists?limit=100"
SERIES = f"/api/v1/artists/{key('Artist 00')}/series?limit=365"
CONNECTIONS = 4
ROUNDS = 4

CHART_SQL = f"""
    select rank, rank as chart_rank, {_ENTRY}
    from {{marts}}fct_chart_positions
    where chart = 'global_artists' and scope = '' and period = 'day'
        and issue_date = (
            select max(issue_date) from {{marts}}fct_chart_positions
            where chart = 'global_artists' and scope = '' and period = 'day'
        )
    order by rank, entity_id
    limit 101
"""
SERIES_SQL = """
    select points.artist_id, artists.artist_name, points.snapshot_date as day,
        cast(points.listeners as double precision) as value
    from {marts}fct_artist_snapshots as points
    inner join {marts}dim_artists as artists on artists.artist_id = points.artist_id
    where points.artist_id = '{artist}'
    order by points.snapshot_date
"""

FASTAPI = '''
import os, asyncpg, orjson
from contextlib import asynccontextmanager
from fastapi import FastAPI, Response

CHART = """{chart}"""
SERIES = """{series}"""

@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(
        os.environ["DSN"], min_size=2, max_size=4)
    yield
    await app.state.pool.close()

app = FastAPI(lifespan=lifespan)

async def answer(sql):
    async with app.state.pool.acquire() as connection:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            version = await connection.fetchrow(
                "select version, as_of_date from ops.published")
            rows = await connection.fetch(sql)
    body = orjson.dumps({{"version": version[0], "as_of": version[1],
                          "data": [dict(row) for row in rows]}})
    return Response(body, media_type="application/json")

@app.get("/chart")
async def chart():
    return await answer(CHART)

@app.get("/series")
async def series():
    return await answer(SERIES)
'''

BARE = """
from pathlib import Path
import json, os
FOLDER = Path(os.environ["BODIES"])
ANSWERS = {}
for name in ("chart", "series"):
    body = (FOLDER / name).read_bytes()
    few = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    same = json.loads((FOLDER / f"{name}.headers").read_text())
    same = [tuple(item) for item in same]
    ANSWERS[f"/{name}"] = few, body
    ANSWERS[f"/{name}/same"] = same, body

def application(environ, start_response):
    headers, body = ANSWERS[environ["PATH_INFO"]]
    start_response("200 OK", headers)
    return (body,)
"""
# What the server itself adds to every answer.
OF_SERVER = ("connection", "date", "server", "transfer-encoding")

LUA = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests,
    latency:percentile(50), latency:percentile(99),
    summary.errors.status, summary.errors.connect + summary.errors.read))
end
"""


@dataclass(frozen=True)
class Measured:
    """One measurement: a rate, latencies in ms and processor time in µs an answer."""

    requests_per_second: float
    p50: float
    p99: float
    cpu: float
    errors: int


@dataclass(frozen=True)
class Contender:
    """Who is asked for what, and the processes whose work that is."""

    label: str
    pids: list[int]
    url: str
    headers: tuple[str, ...] = ()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    print(f"{'':44} {'a second':>9} {'p50 ms':>7} {'p99 ms':>7} {'CPU µs':>7}  ratio")
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder), seconds)


def compare(script: Path, seconds: float, *contenders: Contender) -> None:
    """Ask all by turns, and print the median of each beside that of the first.

    By turns, because the machine's speed changes from one second to the next.
    """
    rounds: list[list[Measured]] = [[] for _ in contenders]
    for _ in range(ROUNDS):
        for contender, found in zip(contenders, rounds, strict=True):
            found.append(run_wrk(script, contender, seconds / ROUNDS))
    for contender, found in zip(contenders, rounds, strict=True):
        ratio = median(
            one.cpu / peer.cpu for one, peer in zip(found, rounds[0], strict=True)
        )
        errors = sum(one.errors for one in found)
        print(
            f"{contender.label:44}"
            f" {median(one.requests_per_second for one in found):9,.0f}"
            f" {median(one.p50 for one in found):7.2f}"
            f" {median(one.p99 for one in found):7.2f}"
            f" {median(one.cpu for one in found):7.0f}"
            + (f" {ratio:6.2f}" if found is not rounds[0] else "")
            + (f"  {errors} errors" if errors else ""),
            flush=True,
        )


def bench(folder: Path, seconds: float) -> None:
    """Measure everything and print one line each."""
    script = folder / "done.lua"
    script.write_text(LUA)
    world = with_chart(make_world())
    write_duckdb(world, version_path(folder / "data", VERSION))
    publish(folder / "data", VERSION, world.as_of)
    bodies = folder / "bodies"
    bodies.mkdir()
    paths = {"chart": CHART, "series": SERIES}
    server = start_postgres()
    try:
        database = fill(server, world)
        with (
            service(folder / "data") as (embedded, embedded_pids),
            service(folder / "data", WAREHOUSE_URL=database) as (served, served_pids),
        ):
            etags = {}
            for name, path in paths.items():
                answer = urllib.request.urlopen(embedded + path)
                (bodies / name).write_bytes(answer.read())
                same = [
                    item
                    for item in answer.headers.items()
                    if item[0].lower() not in OF_SERVER
                ]
                (bodies / f"{name}.headers").write_text(json.dumps(same))
                etags[embedded, name] = answer.headers["ETag"]
                answer = urllib.request.urlopen(served + path)
                etags[served, name] = answer.headers["ETag"]
            bare = granian("bare:application", folder, {"BODIES": str(bodies)}, BARE)
            with bare as (bare_url, bare_pids):
                for name, path in paths.items():
                    peer = Contender(
                        f"bare WSGI, ready bytes, {name}",
                        bare_pids,
                        f"{bare_url}/{name}",
                    )
                    ours = [
                        Contender(
                            f"  {kind} on {engine}, {name}", pids, url + path, sent
                        )
                        for engine, url, pids in (
                            ("DuckDB", embedded, embedded_pids),
                            ("PostgreSQL", served, [*served_pids, server.process.pid]),
                        )
                        for kind, sent in (
                            ("hit", ()),
                            ("304", (f"If-None-Match: {etags[url, name]}",)),
                        )
                    ]
                    same_headers = Contender(
                        "  the same with our headers", bare_pids, f"{peer.url}/same"
                    )
                    compare(script, seconds, peer, same_headers, *ours)
        compare_misses(folder, server, database, world, script, seconds)
    finally:
        server.stop()


def fill(server: PostgresServer, world: World) -> str:
    """Write the world into a new database, indexed; returns its URL."""
    url = server.new_database()
    write_postgres(world, url)
    server.run_sql(
        "create index on marts.fct_chart_positions (chart, scope, period, issue_date);"
        "create index on marts.fct_artist_snapshots (artist_id, snapshot_date);"
        "create index on marts.dim_artists (artist_id); analyze",
        url.rsplit("/", 1)[1],
    )
    return url


def compare_misses(
    folder: Path,
    server: PostgresServer,
    url: str,
    world: World,
    script: Path,
    seconds: float,
) -> None:
    """Misses on both engines beside FastAPI + asyncpg and Datasette."""
    make_peers()
    database = [server.process.pid]
    uncached = {"SERVE_CACHE_BYTES": "0", "SERVE_POINTER_SECONDS": "1"}
    with (
        fastapi(folder, url) as (peer, peer_pids),
        service(folder / "data", WAREHOUSE_URL=url, **uncached) as (served, pids),
        service(folder / "data", **uncached) as (embedded, embedded_pids),
        datasette(folder, world) as (other, other_pids),
    ):
        for name, path in (("chart", CHART), ("series", SERIES)):
            compare(
                script,
                seconds,
                Contender(
                    f"FastAPI + asyncpg + uvicorn, {name}",
                    peer_pids + database,
                    f"{peer}/{name}",
                ),
                Contender(
                    f"  miss on PostgreSQL, {name}", pids + database, served + path
                ),
                Contender(f"  miss on DuckDB, {name}", embedded_pids, embedded + path),
                Contender(
                    f"  Datasette (SQLite), {name}",
                    other_pids,
                    f"{other}/marts/{name}.json?_size=1000",
                ),
            )


def with_chart(world: World) -> World:
    """Add a daily chart of 100 places over half a year."""
    for back in range(180):
        day = world.as_of - timedelta(days=back)
        for rank in range(1, 101):
            name = f"Name {(rank * 7 + back) % 140}"
            world["fct_chart_positions"].append(
                {
                    "chart": "global_artists",
                    "scope": "",
                    "period": "day",
                    "issue_date": day,
                    "revision": 1,
                    "rank": rank,
                    "entity_id": key(name),
                    "entity_name": name,
                    "artist_id": key(name),
                    "artist_name": name,
                    "previous_rank": rank + 1,
                    "movement": "UP",
                    "rank_change": 1,
                    "peak_rank": 1,
                    "peak_first_date": day,
                    "issues_at_peak": 3,
                    "issues_on_chart": 40,
                    "run_number": 2,
                    "run_length": 11,
                    "issues_at_1": 1,
                    "listeners": 100_000 - rank,
                    "minutes": 1000.5 / rank,
                    "share_pct": 10.0 / rank,
                    "points": 101 - rank,
                    "is_bubbling_under": False,
                }
            )
    return world


def run_wrk(script: Path, contender: Contender, seconds: float) -> Measured:
    """Warm up, load for some seconds, read the clocks of the processes around it."""

    def load(length: float) -> re.Match[str]:
        options = [part for header in contender.headers for part in ("-H", header)]
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(length))}s"]
        done = subprocess.run(
            [*command, *options, "-s", str(script), contender.url],
            capture_output=True,
            text=True,
            check=True,
            timeout=length + 60,
        )
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
        assert found is not None, done.stdout
        return found

    load(1)
    before, began = cpu_seconds(contender.pids), time.perf_counter()
    found = load(seconds)
    lasted = time.perf_counter() - began
    spent = cpu_seconds(contender.pids) - before
    requests, p50, p99, status, broken = (int(part) for part in found.groups())
    return Measured(
        requests / lasted,
        p50 / 1000,
        p99 / 1000,
        spent / max(requests, 1) * 1e6,
        status + broken,
    )


def cpu_seconds(pids: list[int]) -> float:
    """Processor time of processes and of all below them that still live."""
    spent = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                spent += times.user + times.system
    return spent


@contextlib.contextmanager
def running(command: list[str], **given: Any) -> Iterator[list[int]]:
    """A server process; ended with all it started."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **given,
    )
    try:
        yield [process.pid]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=5)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    """Wait until something answers there."""
    until = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url).read()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def service(data_dir: Path, **given: str) -> Iterator[tuple[str, list[int]]]:
    """The service as `scrobble serve` starts it."""
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "SCROBBLE_CONFIG": "none.toml",
        "SERVE_RATE_LIMIT": "1000000000 per minute",
        **given,
    }
    program = "from serve.cli import command; command()"
    command = [sys.executable, "-c", program, "--no-jobs", "--port", str(port)]
    with running(command, env=environment, cwd=ROOT) as pids:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health")
        yield url, pids


@contextlib.contextmanager
def granian(
    target: str, folder: Path, environment: dict[str, str], program: str
) -> Iterator[tuple[str, list[int]]]:
    """Another WSGI application on the same server with the same workers."""
    (folder / "bare.py").write_text(program)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
    command += [
        "--workers",
        "2",
        "--blocking-threads",
        "1",
        "--port",
        str(port),
        target,
    ]
    with running(command, env={**os.environ, **environment}, cwd=folder) as pids:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/chart")
        yield url, pids


@contextlib.contextmanager
def fastapi(folder: Path, database: str) -> Iterator[tuple[str, list[int]]]:
    """FastAPI with the same queries, two workers."""
    texts = {
        "chart": CHART_SQL.format(marts="marts."),
        "series": SERIES_SQL.format(marts="marts.", artist=key("Artist 00")),
    }
    (folder / "peer.py").write_text(FASTAPI.format(**texts))
    port = free_port()
    environment = {**os.environ, "DSN": database.replace("+psycopg2", "")}
    command = [str(PEERS / "bin" / "python"), "-m", "uvicorn", "peer:app"]
    command += ["--workers", "2", "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning"]
    with running(command, env=environment, cwd=folder) as pids:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/chart")
        yield url, pids


@contextlib.contextmanager
def datasette(folder: Path, world: World) -> Iterator[tuple[str, list[int]]]:
    """Datasette on a SQLite copy of the two tables, with canned queries."""
    import json
    import sqlite3

    path = folder / "marts.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table in ("fct_chart_positions", "fct_artist_snapshots", "dim_artists"):
            names = list(mart_columns()[table])
            connection.execute(f"create table {table} ({', '.join(names)})")
            rows = [
                tuple(
                    str(row[name]) if hasattr(row.get(name), "year") else row.get(name)
                    for name in names
                )
                for row in world[table]
            ]
            marks = ", ".join("?" * len(names))
            connection.executemany(f"insert into {table} values ({marks})", rows)
        connection.execute(
            "create index a on fct_chart_positions (chart, scope, period, issue_date)"
        )
        connection.execute(
            "create index b on fct_artist_snapshots (artist_id, snapshot_date)"
        )
    queries = {
        "chart": {"sql": CHART_SQL.format(marts="")},
        "series": {"sql": SERIES_SQL.format(marts="", artist=key("Artist 00"))},
    }
    metadata = folder / "metadata.json"
    metadata.write_text(json.dumps({"databases": {"marts": {"queries": queries}}}))
    port = free_port()
    command = [str(PEERS / "bin" / "datasette"), "serve", "--immutable", str(path)]
    command += ["--metadata", str(metadata), "--port", str(port)]
    with running(command, cwd=folder) as pids:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/marts/chart.json")
        yield url, pids


def make_peers() -> None:
    """Make the peers' virtual environment, once."""
    if (PEERS / "bin" / "datasette").exists():
        return
    PEERS.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    subprocess.run(
        [str(PEERS / "bin" / "pip"), "install", "--quiet", *PACKAGES], check=True
    )


if __name__ == "__main__":
    main()
