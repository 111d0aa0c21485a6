"""A million scrobbles from landing files to marts on DuckDB, beside the same by hand.

    [BENCH_LISTENERS=10000] python -m bench.build [--scrobbles N]

In one run, each contender in a process of its own: the load into schema raw beside one
DuckDB statement that reads the same files into a table; dbt's models beside the same
compiled statements, run one after the other on plain DuckDB in a copy of the same file;
and a further day with 1 % more scrobbles beside the full build. Getting ready (import
of dbt, reading the parsed project), which a run does beside its fetch, is not counted,
and dbt's own start is shown apart. Prints seconds, processor time (which says more than
seconds where others use the machine), peak memory, and ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from bench import load as load_bench
from bench import models
from bench.load import FIRST, LISTENERS, SPAN
from warehouse import build as warehouse_build
from warehouse.run import Target

DAY = date(2026, 11, 22)
DAY_SECONDS = 86_400
THREADS = 2
# The same name for both contenders: the compiled statements hold it.
FILE = "bench.duckdb"
Used = dict[str, float]


class Start(warehouse_build._Watcher):
    """Notes when the first model starts, by the clock and by the processor."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None)
        self._busy = time.process_time()
        self.busy_starting = 0.0

    def __call__(self, event: Any) -> None:
        super().__call__(event)
        if self.seconds_starting and not self.busy_starting:
            self.busy_starting = time.process_time() - self._busy


def dbt(folder: Path, command: str, built_through: int) -> Used:
    """Models only; their compiled statements are kept after a full run."""
    work = folder / "dbt"
    work.mkdir(exist_ok=True)
    target = Target(duckdb_path=folder / FILE)
    began = now()
    project = warehouse_build.parsed_project(target, folder / "parsed", work)
    ready = {f"{name}_ready": used - began[name] for name, used in now().items()}
    if command == "parse":
        return {}
    arguments = ["run", "--no-write-json"]
    arguments += warehouse_build.scope(built_through)
    day = {
        "SCROBBLE_AS_OF_DATE": DAY.isoformat(),
        "SCROBBLE_BUILT_THROUGH": str(built_through),
        "SCROBBLE_THREADS": str(warehouse_build.at_once(target, THREADS)),
    }
    start = Start()
    result = warehouse_build.invoke_dbt(target, arguments, work, day, start, project)
    assert result.success, result.exception
    if built_through == 0:
        statements = [
            (
                run.node.config.materialized,
                run.node.relation_name,
                models.by_hand(
                    run.node.config.materialized,
                    run.node.compiled_code,
                    {c.name: c.data_type for c in run.node.columns.values()},
                ),
            )
            for run in sorted(result.result, key=lambda run: run.timing[0].started_at)
            if run.node.resource_type == "model"
        ]
        (folder / "statements.json").write_text(json.dumps(statements))
    starting = {
        "starting": start.seconds_starting,
        "busy_starting": start.busy_starting,
    }
    return starting | ready


def now() -> Used:
    """The clock, and the processor's."""
    return {"seconds": time.perf_counter(), "busy": time.process_time()}


def parse(folder: Path) -> Used:
    """Let dbt parse the project, as a first run has done on any later day."""
    return dbt(folder, "parse", 0)


def full(folder: Path) -> Used:
    """All models anew."""
    return dbt(folder, "run", 0)


def further(folder: Path) -> Used:
    """What the second load touches."""
    return dbt(folder, "run", 1)


def load(folder: Path) -> Used:
    """The load of the files in `folder` into the warehouse, `raw` made by the first."""
    (folder / "loaded.duckdb").unlink(missing_ok=True)
    return {"rows": load_bench.run_load(folder, None)}


def load_further(folder: Path) -> Used:
    """The load of the further day's files into the same warehouse."""
    day = folder / "further"
    (folder / FILE).rename(day / "loaded.duckdb")
    rows = load_bench.run_load(day, None)
    (day / "loaded.duckdb").rename(folder / FILE)
    return {"rows": rows}


def plain(folder: Path) -> Used:
    """One statement that reads the same files into a table."""
    return {"rows": load_bench.run_plain(folder, None)}


def by_hand(folder: Path) -> Used:
    """The compiled statements in the order in which dbt ran them."""
    statements = json.loads((folder / "statements.json").read_text())
    settings = {"threads": THREADS, "preserve_insertion_order": False}
    path = folder / "hand" / FILE
    with duckdb.connect(str(path), config=settings) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"create schema if not exists {schema}")
        for materialized, relation, sql in statements:
            if materialized == "ephemeral":
                continue
            kind = "view" if materialized == "view" else "table"
            connection.execute(f"create {kind} {relation} as {sql}")
    return {}


STEPS: dict[str, Callable[[Path], Used]] = {
    "plain": plain,
    "load": load,
    "parse": parse,
    "full": full,
    "by_hand": by_hand,
    "load_further": load_further,
    "further": further,
}


def child(name: str, folder: Path) -> None:
    """Run one step and say what it took, start of the process left out."""
    began = now()
    found = STEPS[name](folder)
    for clock, used in now().items():
        found[clock] = used - began[clock] - found.get(f"{clock}_ready", 0.0)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def measure(name: str, folder: Path) -> Used:
    """What a step took, in a process of its own; says so."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.build", "--step", name, "--folder", str(folder)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        check=True,
        timeout=1800,
    )
    used: Used = json.loads(done.stdout.splitlines()[-1])
    starting = used.get("starting")
    print(
        f"{name:<14} {used['seconds']:7.2f} s {used['busy']:7.2f} s of processor"
        f" {used['peak']:6,.0f} MB peak"
        + (
            f", {starting:.2f} s to start, {used['seconds_ready']:.2f} s before"
            if starting
            else ""
        ),
        flush=True,
    )
    return used


def rows_of_marts(path: Path) -> dict[str, int]:
    """How many rows each mart has."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables"
            " where table_schema = 'marts' order by table_name"
        ).fetchall()
        return {
            name: connection.execute(f"select count(*) from marts.{name}").fetchall()[
                0
            ][0]
            for (name,) in names
        }


def compare(folder: Path, scrobbles: int) -> None:
    """All steps in one folder, and their ratios beside the aims."""
    load_bench.make(folder, scrobbles)
    print(
        f"{scrobbles:,} scrobbles of {LISTENERS} listeners"
        f" in {SPAN // DAY_SECONDS} days",
        flush=True,
    )
    used = {"plain": measure("plain", folder), "load": measure("load", folder)}
    (folder / "plain.duckdb").unlink()
    (folder / "loaded.duckdb").rename(folder / FILE)
    with duckdb.connect(str(folder / FILE)) as connection:
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"create schema {schema}")
    (folder / "hand").mkdir()
    shutil.copyfile(folder / FILE, folder / "hand" / FILE)
    used |= {name: measure(name, folder) for name in ("parse", "full", "by_hand")}
    marts, hand = (rows_of_marts(f / FILE) for f in (folder, folder / "hand"))
    assert marts == hand, "both have the same rows in every mart"
    assert marts["fct_scrobbles"] == scrobbles, marts["fct_scrobbles"]
    extra = scrobbles // 100
    load_bench.make(
        folder / "further",
        extra,
        "further",
        first=FIRST + SPAN,
        span=DAY_SECONDS,
        size=extra // LISTENERS,
    )
    used |= {name: measure(name, folder) for name in ("load_further", "further")}
    shown = rows_of_marts(folder / FILE)["fct_scrobbles"]
    assert shown == scrobbles + extra, shown
    report(used, scrobbles)


def report(used: dict[str, Used], scrobbles: int) -> None:
    """Rows a second and the ratios beside their aims."""
    build = {
        key: used["full"][key] - used["full"][start]
        for key, start in (("seconds", "starting"), ("busy", "busy_starting"))
    }
    total = used["load"]["seconds"] + used["full"]["seconds"]
    print(f"landing to marts   {scrobbles / total:>12,.0f} rows/s")
    for name, ours, theirs, aim in (
        ("load / plain DuckDB", used["load"], used["plain"], "2.5"),
        ("dbt / same SQL by hand", build, used["by_hand"], "1.3"),
        ("further day / full build", used["further"], used["full"], "0.10"),
    ):
        clocked = ours["seconds"] / theirs["seconds"]
        busy = ours["busy"] / theirs["busy"]
        print(f"{name:<26} {clocked:6.2f}   {busy:6.2f} of processor   aim {aim}")
    start = used["further"]
    print(
        f"{'start of dbt':<26} {start['starting']:6.2f} s"
        f" {start['busy_starting']:6.2f} s of processor   aim 2 s"
    )


def main() -> None:
    """Make the files, run everything, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scrobbles", type=int, default=1_000_000)
    options.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.step:
        child(chosen.step, chosen.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), chosen.scrobbles)


if __name__ == "__main__":
    main()
