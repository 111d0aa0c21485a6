"""A small warehouse for tests of the dbt project: raw rows in, models built, marts out.

Owns writing rows into the raw tables of a DuckDB file, running dbt over it in this
process, and copying raw to a PostgreSQL database to build the same there. Rows are
given as dictionaries; what every raw row needs is filled in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pyarrow as pa
from psycopg2.extras import execute_values
from sqlalchemy.engine import make_url

from ingest.lastfm.recipes import TABLES, raw_ddl
from ingest.lastfm.spellings import KEYED_COLUMNS
from ingest.published import landing
from warehouse.build import invoke_dbt, parsed_project
from warehouse.names import name_key
from warehouse.run import Target
from warehouse.store import Version

Row = Mapping[str, Any]
_parsed: dict[str, Any] = {}


class RawWarehouse:
    """A DuckDB file with the raw tables, and dbt to build on it."""

    _built: frozenset[tuple[str, ...]] = frozenset()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "warehouse.duckdb"
        self._spelt: set[str] = set()
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema raw")
            for statement in raw_ddl("duckdb"):
                connection.execute(statement)

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """Append rows to `raw.<table>`; day, call and name keys are filled in.

        A row needs `as_of_date`; `load_id` is 1, `fetched_at` 5 o'clock on that day and
        `call_id` unique unless given.
        """
        columns = TABLES[table].column_names
        filled = []
        for number, row in enumerate(rows):
            whole = dict(row)
            if "as_of_date" in whole:
                day = whole["as_of_date"]
                whole.setdefault("fetched_at", datetime.combine(day, time(5)))
                whole.setdefault("item_index", 0)
                whole.setdefault(
                    "call_id", f"{table} {day} {whole.get('load_id', 1)} {number}"
                )
            whole.setdefault("load_id", 1)
            filled.append({column: whole.get(column) for column in columns})
        self._append(table, filled)
        new: set[str] = {
            str(row[column])
            for row in filled
            for column in KEYED_COLUMNS & row.keys()
            if row[column] is not None
        } - self._spelt
        self._spelt |= new
        self._append(
            "lastfm__name_keys",
            [{"load_id": 1, "name": n, "name_key": name_key(n)} for n in sorted(new)],
        )

    def _append(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        batch = pa.table({name: [row[name] for row in rows] for name in rows[0]})
        with duckdb.connect(str(self.path)) as connection:
            connection.register("batch", batch)
            connection.execute(f"insert into raw.{table} by name select * from batch")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement on the built file."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        """All rows of a table as dictionaries."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.execute(f"select * from {table} order by {order}")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def build(self, *select: str, **options: Any) -> None:
        """Run dbt on the file; `options` as of :func:`run_dbt`.

        Views stay as the first build of the same selection made them, as in a daily
        run.
        """
        if options.get("built_through") and select in self._built:
            options["has_views"] = True
        run_dbt(Target(duckdb_path=self.path), self.folder, *select, **options)
        self._built |= {select}

    def publish(self, number: int, day: date) -> str:
        """Land what the built file newly says; the rows come with the next load.

        Returns:
            The version's name, as :func:`version_name` makes it.
        """
        version = Version(
            version=version_name(number, day),
            fence=number,
            run_id="run",
            as_of_date=day,
            published_at=datetime.combine(day, time(23, number)),
            built_through=number,
            project_hash="",
            bytes=0,
            row_counts={},
        )
        target = Target(duckdb_path=self.path)
        for record in landing.records(target, "run", version):
            for name, rows in json.loads(record.body)["published"].items():
                call = {
                    "load_id": number + 1,
                    "as_of_date": day,
                    "fetched_at": record.fetched_at,
                    "call_id": record.call_id,
                }
                table = f"published__{name}"
                self.insert(
                    table, [{**call, "item_index": i, **r} for i, r in enumerate(rows)]
                )
        return version.version

    def copy_raw_to(self, url: str) -> None:
        """Make the raw tables in a PostgreSQL database, with the same rows."""
        with connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("create schema raw")
            for statement in raw_ddl("postgres"):
                cursor.execute(statement)
            for table in TABLES:
                rows = self.query(f"select * from raw.{table}")
                if rows:
                    execute_values(cursor, f"insert into raw.{table} values %s", rows)
        connection.close()


def version_name(number: int, day: date) -> str:
    """The name of the n-th version, as a run makes it."""
    return f"{day:%Y%m%d}-{number:06d}"


def connect(url: str) -> Any:
    """A psycopg2 connection to a database given by its SQLAlchemy URL."""
    return psycopg2.connect(
        make_url(url).set(drivername="postgresql").render_as_string(False)
    )


def postgres_rows(url: str, table: str, order: str) -> list[dict[str, Any]]:
    """All rows of a table of a PostgreSQL database as dictionaries."""
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select * from {table} order by {order}")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()


def run_dbt(
    target: Target,
    folder: Path,
    *select: str,
    command: str = "run",
    built_through: int = 0,
    full_refresh: bool = False,
    version: str = "",
    has_views: bool = False,
) -> None:
    """One dbt invocation in this process; on PostgreSQL into schema `marts_build`.

    Args:
        has_views: leave views as they are.

    Raises:
        AssertionError: naming the models and tests that failed.
    """
    project = parsed(target, folder)
    arguments = [command, "--no-write-json"]
    if select:
        arguments += ["--select", *select]
    if full_refresh:
        arguments.append("--full-refresh")
    elif has_views:
        arguments += ["--exclude", "config.materialized:view"]
    day = {
        "SCROBBLE_BUILT_THROUGH": str(built_through),
        "SCROBBLE_VERSION": version,
        # Tests run beside each other.
        "SCROBBLE_THREADS": "1",
    }
    outcome = invoke_dbt(target, arguments, folder, day, project=project)
    failed = [
        f"{node.node.name}: {node.message}"
        for node in (getattr(outcome.result, "results", None) or ())
        if str(node.status) not in ("success", "pass", "no-op")
    ]
    assert outcome.success and not failed, failed or outcome.exception


def parsed(target: Target, folder: Path) -> Any:
    """The parsed project; of a DuckDB file, read once in a process.

    Reading it takes as long as a tenth of the models. Files have one name here, by
    which alone projects of files differ; each PostgreSQL database has its own.
    """
    if target.duckdb_path is None:
        return parsed_project(target, folder / "parsed", folder)
    name = target.duckdb_path.name
    if name not in _parsed:
        _parsed[name] = parsed_project(target, folder / "parsed", folder)
    for node in _parsed[name].nodes.values():
        # What an earlier build compiled would be taken for this one's.
        if getattr(node, "compiled", False):
            node.compiled, node.compiled_code = False, None
            node.extra_ctes_injected, node.extra_ctes = False, []
    return _parsed[name]


def differences(
    left: Sequence[Row], right: Sequence[Row], tolerance: float = 1e-9
) -> list[str]:
    """Where two lists of rows differ, floats by relative or absolute tolerance."""
    if len(left) != len(right):
        return [f"{len(left)} rows and {len(right)} rows"]
    found = []
    for number, (one, other) in enumerate(zip(left, right, strict=True)):
        for name in one:
            a, b = one[name], other[name]
            if isinstance(a, float) and isinstance(b, float):
                same = math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
            else:
                same = a == b
            if not same:
                found.append(f"row {number} {name}: {a!r} and {b!r} in {one}")
    return found[:5]


def day(number: int) -> date:
    """The n-th day of the tests' calendar, from 0, a Wednesday."""
    return date.fromordinal(date(2025, 1, 1).toordinal() + number)
