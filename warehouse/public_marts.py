"""The marts that everybody may see, in one DuckDB file, and bounded questions to it.

Owns that file: made once for each version, on either engine, of what the marts' `meta`
declares public. Nothing else is in it, so no statement can reach what is not public;
and the connection opens no other file, no network, and changes no setting.
"""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from warehouse import marts_file
from warehouse.descriptions import comment_statements
from warehouse.duckdb_store import published_path
from warehouse.errors import WarehouseError
from warehouse.export import export_marts, published_name
from warehouse.project import mart_models
from warehouse.redact import redact
from warehouse.settings import Settings

#: Bytes of text that one answer may have.
MOST_BYTES = 5_000_000
_AT_ONCE = 1000
_MAKING_SECONDS = 600
_LIMITS = {
    "enable_external_access": "false",
    # A name must never find a variable of this process.
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "memory_limit": "512MB",
    "threads": "1",
}
# They tell of the machine and its settings.
_REFUSED = ("duckdb_", "pragma_")
# Macros that tell of the session or the machine, and functions that say of themselves
# that they depend on their arguments alone, but do not.
_TELLING = re.compile(
    r"(pg_|has_|inet_|current_|obj_|shobj_|col_|get_block|map_to_pg|format_)"
    r"|(session_user|user|version|parse_duckdb_log_message)$"
)
# They depend on more than their arguments, and tell nothing.
_HARMLESS = {"random", "now", "today", "current_date", "get_current_timestamp"}
# Of the functions that give tables, these. Others read files, tell of the machine, or
# run a text that nobody has looked at.
_TABLE_FUNCTIONS = {"generate_series", "range", "unnest"}


class Refused(WarehouseError):
    """A statement that is not answered; the message says why."""


@dataclass(frozen=True)
class Answer:
    """The rows of a statement; `is_cut` where there are more."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    is_cut: bool


@dataclass(frozen=True)
class Column:
    """A column of a public mart."""

    name: str
    type: str
    description: str


def conditions() -> dict[str, str]:
    """The public marts, each with the condition of the rows that everybody may see."""
    found = {}
    for model in mart_models():
        public = model.get("config", {}).get("meta", {}).get("public", False)
        if public:
            found[str(model["name"])] = "true" if public is True else str(public)
    return found


def bring(settings: Settings, folder: Path) -> Path:
    """The file of the published version, in this folder; made where it is not there.

    Of several processes one makes it. Files of earlier versions go; who has one open
    keeps it.

    Raises:
        WarehouseError: nothing is published, or the file cannot be written.
    """
    version = published_name(settings)
    path = folder / f"scrobble-warehouse-{version}.duckdb"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "public-marts.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                _make_apart(settings, path, version)
                for old in folder.glob("scrobble-warehouse-*.duckdb"):
                    if old != path:
                        old.unlink()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WarehouseError(f"{path} could not be written: {error}") from error
    return path


def _make_apart(settings: Settings, path: Path, version: str) -> None:
    """Make the file in a process of its own.

    DuckDB opens a file once in a process, and the service has the version open already.
    """
    given = {"settings": settings.model_dump(mode="json"), "rows": conditions()}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(path), version],
        input=json.dumps(given),
        text=True,
        capture_output=True,
        timeout=_MAKING_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason was said"])[-1]
        raise WarehouseError(f"{path} could not be written: {redact(said)}")


def _make(
    settings: Settings, rows: Mapping[str, str], path: Path, version: str
) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as made:
        fresh = Path(made) / path.name
        if settings.warehouse_url is None:
            published = published_path(settings.data_dir)
            marts_file.write(fresh, published, version, rows)
        else:
            with duckdb.connect(str(fresh)) as file:
                file.execute("create schema marts")
                for part in export_marts(settings, Path(made), tuple(rows)):
                    _take(file, part.path, rows[part.path.stem])
        fresh.replace(path)


def _take(file: duckdb.DuckDBPyConnection, parquet: Path, rows: str) -> None:
    mart = parquet.stem
    file.execute(
        f'create table marts."{mart}" as from read_parquet(?) where {rows}',
        [str(parquet)],
    )
    schema = pq.read_schema(parquet)
    texts = {"": schema.metadata[b"description"].decode()}
    for field in schema:
        if field.metadata:
            texts[field.name] = field.metadata[b"description"].decode()
    for statement in comment_statements("marts", {mart: "table"}, {mart: texts}, {}):
        file.execute(statement)


@lru_cache(maxsize=2)  # a version's file never changes
def columns(path: Path) -> Mapping[str, tuple[str, list[Column]]]:
    """The marts of such a file: their description, and their columns."""
    with closing(_open(path)) as file:
        found: dict[str, tuple[str, list[Column]]] = {
            name: (comment or "", [])
            for name, comment in file.execute(
                "select table_name, comment from duckdb_tables()"
                " where schema_name = 'marts' order by table_name"
            ).fetchall()
        }
        for mart, *column in file.execute(
            "select table_name, column_name, lower(data_type), coalesce(comment, '')"
            " from duckdb_columns() where schema_name = 'marts' order by column_index"
        ).fetchall():
            found[mart][1].append(Column(*column))
    return found


def ask(path: Path, statement: str, *, seconds: float, rows: int) -> Answer:
    """Ask such a file one question.

    Args:
        seconds: after these the question is given up.
        rows: the most that are read.

    Raises:
        Refused: it is not one question, asks for what is not told, took too long, or
            is wrong; the message is DuckDB's where it names the place.
    """
    with closing(_open(path)) as file:
        try:
            _check(file, statement)
            timer = threading.Timer(seconds, file.interrupt)
            timer.start()
            try:
                cursor = file.execute(statement)
                names = [column[0] for column in cursor.description or ()]
                return Answer(names, *_read(cursor, rows))
            finally:
                timer.cancel()
        except duckdb.InterruptException:
            raise Refused(
                f"it took longer than {seconds:g} seconds: ask for fewer rows, or take"
                " the file and ask it at home"
            ) from None
        except duckdb.Error as error:
            raise Refused(str(error)) from None


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    file = duckdb.connect(str(path), read_only=True, config=dict(_LIMITS))
    file.execute("set search_path = 'marts'")
    file.execute("set lock_configuration = true")
    return file


def _check(file: duckdb.DuckDBPyConnection, statement: str) -> None:
    kinds = [found.type.name for found in file.extract_statements(statement)]
    if kinds != ["SELECT"]:
        raise Refused("send one question: a select (or from, with, values, describe)")
    said = file.execute("select json_serialize_sql(?)", [statement]).fetchall()[0][0]
    for name, kind in _names(json.loads(said)):
        if (
            name.startswith(_REFUSED)
            or (kind == "table function" and name not in _TABLE_FUNCTIONS)
            or (kind == "function" and name not in functions())
        ):
            raise Refused(f"{name} is not answered here; describe MART is")


@lru_cache(maxsize=1)
def functions() -> frozenset[str]:
    """The functions whose outcome depends on their arguments alone, by DuckDB's word.

    Others wait, count, log, or tell of the session, its settings and its machine.
    """
    with duckdb.connect() as empty:
        rows = empty.execute(
            "select lower(function_name),"
            "  bool_and(function_type = 'macro' or stability = 'CONSISTENT')"
            " from duckdb_functions()"
            " where function_type in ('scalar', 'aggregate', 'window', 'macro')"
            " group by 1"
        ).fetchall()
    alone = {name for name, is_alone in rows if is_alone and not _TELLING.match(name)}
    return frozenset(alone | _HARMLESS | _TABLE_FUNCTIONS)


def _names(tree: Any, is_from: bool = False) -> Iterator[tuple[str, str]]:
    """Every function, function that gives a table, and table a statement names."""
    if isinstance(tree, dict):
        if isinstance(name := tree.get("function_name"), str):
            yield name.lower(), "table function" if is_from else "function"
        if isinstance(name := tree.get("table_name"), str):
            yield name.lower(), "table"
        is_from = tree.get("type") == "TABLE_FUNCTION"
        for key, part in tree.items():
            yield from _names(part, is_from and key == "function")
    elif isinstance(tree, list):
        for part in tree:
            yield from _names(part)


def _read(
    cursor: duckdb.DuckDBPyConnection, most: int
) -> tuple[list[tuple[Any, ...]], bool]:
    rows: list[tuple[Any, ...]] = []
    size = 0
    while part := cursor.fetchmany(min(_AT_ONCE, most + 1 - len(rows))):
        rows += part
        size += sum(len(str(value)) for row in part for value in row)
        if size > MOST_BYTES:
            raise Refused(
                f"the answer has more than {MOST_BYTES:,} characters: choose columns,"
                " or fewer rows"
            )
        if len(rows) > most:
            return rows[:most], True
    return rows, False


if __name__ == "__main__":
    _given = json.load(sys.stdin)
    _make(
        Settings.model_validate(_given["settings"]),
        _given["rows"],
        Path(sys.argv[1]),
        sys.argv[2],
    )
