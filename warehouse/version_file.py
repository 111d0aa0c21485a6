"""What a DuckDB version says of itself: enough to make a lost journal again.

Owns the table ``about.version`` of a version's file, and the reading of files that may
be damaged, or older than that table.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from warehouse.errors import Damaged
from warehouse.store import Version

NAME = re.compile(r"^warehouse-((\d{8})-(\d{6,}))\.duckdb$")
_DDL = """
    create schema if not exists about;
    create or replace table about.version (
        version text, fence bigint, run_id text, as_of_date date,
        published_at timestamp, built_through bigint, project_hash text,
        row_counts text, steps text
    )
"""
# Of a file without the table: its marts, and what its loads say.
_MARTS = """
    select table_name from information_schema.tables where table_schema = 'marts'
"""
_LOADED = "select coalesce(max(load_id), 0) from raw.loads"


@dataclass(frozen=True)
class About:
    """A version as its file tells it; `steps` are the counts of the run's steps."""

    version: Version
    steps: dict[str, dict[str, Any]]


def write_about(path: Path, version: Version, steps: dict[str, Any]) -> None:
    """Enter in a candidate what it will be published as."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(_DDL)
        connection.execute(
            "insert into about.version values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                version.version,
                version.fence,
                version.run_id,
                version.as_of_date,
                version.published_at,
                version.built_through,
                version.project_hash,
                json.dumps(version.row_counts, sort_keys=True),
                json.dumps(steps, default=str),
            ],
        )
        connection.execute("force checkpoint")


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A version's file, read-only.

    Attached to an instance of its own: a process that has the file open may open it
    again with the same configuration only, and the service has one of its own.

    Raises:
        Damaged: it is no whole DuckDB file, when it is opened or at a later read.
    """
    quoted = str(path).replace("'", "''")
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"attach '{quoted}' as published (read_only)")
            connection.execute("use published")
            yield connection
    except (duckdb.Error, OSError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise Damaged(f"{path} is damaged ({said})") from error


def is_damage(path: Path, error: duckdb.Error) -> bool:
    """Whether DuckDB complains of a version's file, rather than of the question."""
    said = str(error)
    return (
        isinstance(error, duckdb.SerializationException | duckdb.FatalException)
        or "orrupt" in said
        or (isinstance(error, duckdb.IOException) and str(path) in said)
    )


def read_about(path: Path) -> About:
    """What a version's file says of itself.

    A file that an older release wrote is described by its name and its loads: it is
    then built anew from schema raw, as after a change of the project.

    Raises:
        Damaged: the file cannot be read, or is no version.
    """
    named = NAME.match(path.name)
    with reading(path) as connection:
        tables = connection.execute(
            "select count(*) from duckdb_tables()"
            " where schema_name = 'about' and table_name = 'version'"
        ).fetchall()
        if tables == [(1,)]:
            cursor = connection.execute("select * from about.version")
            names = [column[0] for column in cursor.description]
            facts = dict(zip(names, cursor.fetchall()[0], strict=True))
            steps = json.loads(facts.pop("steps"))
            facts["row_counts"] = json.loads(facts["row_counts"])
            version = Version(bytes=path.stat().st_size, **facts)
            if named and version.version == named[1]:
                return About(version, steps)
        if named is None:
            raise Damaged(f"{path} is not called like a version")
        counts = {
            mart: connection.execute(f'select count(*) from marts."{mart}"').fetchall()[
                0
            ][0]
            for (mart,) in connection.execute(_MARTS).fetchall()
        }
        ((built_through,),) = connection.execute(_LOADED).fetchall()
    stat = path.stat()
    written = datetime.fromtimestamp(stat.st_mtime, UTC).replace(tzinfo=None)
    return About(
        Version(
            version=named[1],
            fence=int(named[3]),
            run_id=f"unknown-{named[1]}",
            as_of_date=datetime.strptime(named[2], "%Y%m%d").date(),
            published_at=written,
            built_through=built_through,
            project_hash="",
            bytes=stat.st_size,
            row_counts=counts,
        ),
        {},
    )


def check_whole(path: Path) -> None:
    """Read every value of a version's file.

    Raises:
        Damaged: some of it cannot be read.
    """
    with reading(path) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall()
        for schema, table in tables:
            connection.execute(
                f'select bit_xor(hash(read)) from "{schema}"."{table}" as read'
            )


def digest(path: Path) -> str:
    """A hash of the file's bytes."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20))
    return found.hexdigest()
