"""Where a name stands: every table of every database, and the bytes of every file.

Owns the search that tells whether anything is left of a listener. Landing files are
unpacked, DuckDB and SQLite files are read table by table, and all files byte by byte
as well, because a database does not overwrite what it deletes.
"""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import duckdb
from sqlalchemy import create_engine, text

_SQLITE = b"SQLite format 3\0"


def traces_in_files(folder: Path, word: str) -> Counter[str]:
    """How often the word stands in each place of a data folder, in any capitals."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        elif content.startswith(_SQLITE):
            found.update(dict(_of_sqlite(path, name, word)))
        elif path.suffix == ".duckdb":
            found.update(dict(_of_duckdb(path, name, word)))
        bytes_ = _occurrences(content, word) + _occurrences(_unpacked(content), word)
        if bytes_:
            found[f"{name} (bytes)"] += bytes_
        if word.casefold() in name.casefold():
            found[f"{name} (its name)"] += 1
    return found


def traces_in_postgres(url: str, word: str) -> Counter[str]:
    """The same of every table of every schema of a database, and of what dbt notes."""
    found: Counter[str] = Counter()
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "select nspname, relname from pg_class inner join pg_namespace"
                " on pg_namespace.oid = relnamespace where relkind = 'r'"
                " and nspname not in ('pg_catalog', 'information_schema')"
                " or relname = 'pg_description'"
            )
        ).all()
        for schema, table in tables:
            count = connection.execute(
                text(
                    f'select count(*) from "{schema}"."{table}" as found'
                    " where found::text ilike :word"
                ),
                {"word": f"%{word}%"},
            ).scalar_one()
            if count:
                found[f"{schema}.{table}"] = int(count)
        noted = connection.execute(
            text(
                "select starelid::regclass::text, count(*) from pg_statistic as noted"
                " where noted::text ilike :word group by 1"
            ),
            {"word": f"%{word}%"},
        )
        found.update({f"pg_statistic.{table}": int(count) for table, count in noted})
    engine.dispose()
    return found


def _of_sqlite(path: Path, name: str, word: str) -> Iterable[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "select name from sqlite_master where type = 'table'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'select * from "{table}"').fetchall()
            yield from _counted(f"{name} {table}", (str(row) for row in rows), word)


def _of_duckdb(path: Path, name: str, word: str) -> Iterable[tuple[str, int]]:
    # A copy, for a service of this process may have the file open in its own way.
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(str(shutil.copy(path, folder)), read_only=True) as connection,
    ):
        # A view holds nothing itself, and a number or a time no name.
        tables = connection.execute(
            """
            select schema_name, table_name, list(
                'contains(lower("' || column_name || '"::varchar), word)'
            )
            from duckdb_columns()
            semi join duckdb_tables() using (schema_name, table_name)
            where data_type similar to '.*(VARCHAR|JSON|BLOB).*'
            group by all
            """
        ).fetchall()
        for schema, table, conditions in tables:
            ((count,),) = connection.execute(
                f'select count(*) from "{schema}"."{table}", (select lower(?) as word)'
                f" where {' or '.join(conditions)}",
                [word],
            ).fetchall()
            if count:
                yield f"{name} {schema}.{table}", int(count)


def _counted(place: str, rows: Iterable[str], word: str) -> Iterable[tuple[str, int]]:
    count = sum(word.casefold() in row.casefold() for row in rows)
    if count:
        yield place, count


def _occurrences(content: bytes, word: str) -> int:
    return content.lower().count(word.lower().encode())


def _unpacked(content: bytes) -> bytes:
    """What stands in gzip members anywhere in a file's bytes."""
    unpacked = []
    start = content.find(b"\x1f\x8b\x08")
    while start >= 0:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        with suppress(zlib.error):
            unpacked.append(member.decompress(content[start:]))
        start = content.find(b"\x1f\x8b\x08", start + 1)
    return b"".join(unpacked)
