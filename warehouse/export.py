"""The published marts as Parquet files, with their descriptions.

Owns the files and their metadata. All of one export is of one version, whose name
stands in each file (`version`); a file is written beside its place and moved there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from warehouse.descriptions import DUCKDB_COMMENTS
from warehouse.duckdb_store import published_path
from warehouse.errors import WarehouseError
from warehouse.settings import Settings
from warehouse.version_file import reading

_BATCH_ROWS = 100_000
_POSTGRES_COMMENTS = """
    select c.relname, coalesce(a.attname, ''),
        coalesce(case when a.attnum is null then obj_description(c.oid, 'pg_class')
                 else col_description(c.oid, a.attnum) end, '')
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'marts'
    cross join lateral (
        select attname, attnum from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped
        union all select null, null
    ) a
    where c.relkind in ('r', 'v', 'm', 'p')
"""

# What the marts' contracts use of PostgreSQL's types.
_ARROW = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "double precision": pa.float64(),
    "numeric": pa.decimal128(38, 9),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "character varying": pa.string(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Exported:
    """One file, its rows and its size in bytes."""

    path: Path
    rows: int
    bytes: int


class _Source(Protocol):
    """The published marts of one engine, at one moment."""

    version: str

    def comments(self) -> Iterable[tuple[Any, ...]]:
        """Mart, column ('' for the mart itself) and description."""

    def read(self, mart: str) -> pa.RecordBatchReader:
        """All rows of a mart."""


def export_marts(
    settings: Settings, folder: Path, only: Sequence[str] = ()
) -> Iterator[Exported]:
    """Write the marts of the published version, one file each.

    Raises:
        WarehouseError: a mart is not there, or the folder cannot be written.
    """
    with _published(settings) as source:
        comments = {(mart, column): text for mart, column, text in source.comments()}
        marts = sorted({mart for mart, _ in comments})
        if unknown := sorted(set(only) - set(marts)):
            raise WarehouseError(
                f"there is no mart {unknown[0]}; `scrobble sql` with .tables lists them"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for mart in only or marts:
                yield _write(source, mart, comments, folder)
        except OSError as error:
            raise WarehouseError(f"{folder} cannot be written: {error}") from error


def published_name(settings: Settings) -> str:
    """The name of the published version.

    Raises:
        WarehouseError: nothing is published, or it cannot be read.
    """
    if settings.warehouse_url is None:
        return published_path(settings.data_dir).stem.removeprefix("warehouse-")
    with _published(settings) as source:
        return source.version


def _write(
    source: _Source, mart: str, comments: dict[tuple[str, str], str], folder: Path
) -> Exported:
    reader = source.read(mart)
    fields = [
        field.with_metadata({"description": text})
        if (text := comments.get((mart, field.name)))
        else field
        for field in reader.schema
    ]
    about = {"description": comments[mart, ""], "version": source.version}
    schema = pa.schema(fields, metadata=about)
    path = folder / f"{mart}.parquet"
    growing = path.with_suffix(".growing")
    rows = 0
    with pq.ParquetWriter(growing, schema, compression="zstd") as writer:
        for batch in reader:
            rows += batch.num_rows
            writer.write_batch(batch.cast(schema))
    growing.replace(path)
    return Exported(path, rows, path.stat().st_size)


@contextmanager
def _published(settings: Settings) -> Iterator[_Source]:
    if settings.warehouse_url is None:
        path = published_path(settings.data_dir)
        with reading(path) as database:
            yield _File(database, path.stem.removeprefix("warehouse-"))
        return
    engine = create_engine(settings.warehouse_url)
    try:
        with engine.connect() as connection:
            connection.execute(
                text("set transaction isolation level repeatable read, read only")
            )
            yield _Server(connection)
    except SQLAlchemyError as error:
        raise WarehouseError(f"the marts cannot be read: {error}") from error
    finally:
        engine.dispose()


class _File:
    def __init__(self, database: duckdb.DuckDBPyConnection, version: str) -> None:
        self._database = database
        self.version = version

    def comments(self) -> Iterable[tuple[Any, ...]]:
        return self._database.execute(DUCKDB_COMMENTS).fetchall()

    def read(self, mart: str) -> pa.RecordBatchReader:
        found = self._database.sql(f'select * from marts."{mart}"')
        return found.to_arrow_reader(_BATCH_ROWS)


class _Server:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        version = connection.execute(text("select version from ops.published")).scalar()
        if version is None:
            raise WarehouseError("nothing is published; run `make daily` first")
        self.version = str(version)

    def comments(self) -> Iterable[tuple[Any, ...]]:
        found = self._connection.execute(text(_POSTGRES_COMMENTS))
        return [tuple(row) for row in found]

    def read(self, mart: str) -> pa.RecordBatchReader:
        columns = self._connection.execute(
            text(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'marts' and table_name = :mart"
                " order by ordinal_position"
            ),
            {"mart": mart},
        ).all()
        schema = pa.schema([(name, _ARROW[str(kind)]) for name, kind in columns])
        streaming = self._connection.execution_options(yield_per=_BATCH_ROWS)
        rows = streaming.execute(text(f'select * from marts."{mart}"'))
        batches = (_batch(part, schema) for part in rows.partitions())
        return pa.RecordBatchReader.from_batches(schema, batches)


def _batch(rows: Sequence[Any], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(values, field.type)
        for values, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
