"""Parsed rows into a stage, by dlt.

Owns the one dlt pipeline of the load. dlt alone does not load atomically, so it fills
a stage that belongs to this load only: a DuckDB in memory that spills to the work
folder, or a schema of its own in PostgreSQL. Promotion is somebody else's work.
"""

import importlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import create_engine, make_url

from ingest.lastfm.recipes import SQL_TYPES, TABLES, Column
from ingest.load.item_sql import text_literal
from warehouse.errors import LoadFailed
from warehouse.redact import redact
from warehouse.run import Target

_DLT_TYPES: dict[str, dict[str, Any]] = {
    "text": {"data_type": "text"},
    "bigint": {"data_type": "bigint"},
    "integer": {"data_type": "bigint", "precision": 32},
    "double": {"data_type": "double"},
    "boolean": {"data_type": "bool"},
    "date": {"data_type": "date"},
    "timestamp": {"data_type": "timestamp", "timezone": False, "precision": 6},
}
_CONTRACT: Any = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}

# A table of many rows goes to PostgreSQL in so many files at the same time.
_THREADS = 2
STAGE_PREFIX = "stage_"
MEMORY_LIMIT = "450MB"


def stage_name(run_id: str) -> str:
    """The stage of a run, as a schema name."""
    return STAGE_PREFIX + re.sub(r"[^a-z0-9]+", "_", run_id.lower())


def staged_columns(table: str) -> list[Column]:
    """The columns of a table in the stage: answer_no in the place of load_id."""
    return [
        Column("answer_no", "bigint", True),
        *(column for column in TABLES[table].columns if column.name != "load_id"),
    ]


@dataclass(frozen=True)
class Stage:
    """A filled stage: its schema, and the DuckDB it is in unless it is PostgreSQL.

    The promotion closes the DuckDB, or drops the schema.
    """

    schema: str
    duckdb: duckdb.DuckDBPyConnection | None


def import_dlt_meanwhile() -> threading.Thread:
    """Begin to import dlt, which takes most of a second, while something else runs."""
    thread = threading.Thread(
        target=importlib.import_module, args=("dlt",), name="import-dlt", daemon=True
    )
    thread.start()
    return thread


def fill_stage(
    target: Target, files: dict[str, list[Path]], name: str, work_dir: Path
) -> Stage:
    """Load the Parquet files of each table into a new stage `name`.

    Raises:
        LoadFailed: dlt could not load a file.
    """
    # Commands that load nothing do without this import.
    import dlt
    from dlt.pipeline.exceptions import PipelineStepFailed

    connection: duckdb.DuckDBPyConnection | None = None
    with _quiet_dlt():
        folder = work_dir / "dlt"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if target.duckdb_path is not None:
            connection = _open_duckdb(work_dir)
            destination: Any = dlt.destinations.duckdb(connection)
            file_format: Any = "parquet"
        else:
            _create_unlogged(str(target.url), name, list(files))
            from ingest.load.pooled_postgres import PooledPostgres, with_all_parts

            destination = PooledPostgres(with_all_parts(str(target.url)))
            file_format = "csv"
            files = _as_csv(files, work_dir)
        resources = [
            _resource(table, paths, file_format)
            for table, paths in sorted(files.items())
        ]
        pipeline = dlt.pipeline(
            "lastfm",
            pipelines_dir=str(folder),
            destination=destination,
            dataset_name=name,
        )
        source = dlt.source(lambda: resources, name="lastfm", schema_contract=_CONTRACT)
        try:
            info = pipeline.run(source(), loader_file_format=file_format)
            info.raise_on_failed_jobs()
        except PipelineStepFailed as error:
            if connection is not None:
                connection.close()
            # Its text and its causes can hold the URL with the password.
            said = redact(_cause_of(str(error)))
            if target.url is not None and (password := make_url(target.url).password):
                said = said.replace(str(password), "***")
            raise LoadFailed(f"dlt could not fill the stage: {said}") from None
        finally:
            pipeline.deactivate()
    return Stage(name, connection)


def _cause_of(said: str) -> str:
    """What dlt was told in the end: its own text holds the traceback of a worker.

    The last line that names an exception, without the name; else the first line.
    """
    causes = re.findall(r"^\s*(?:\w+\.)+\w+: (.+)$", said, re.MULTILINE)
    return str(causes[-1]) if causes else said.partition("\n")[0]


def _open_duckdb(work_dir: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(work_dir / "spill"),
            "preserve_insertion_order": "false",
        },
    )


def _create_unlogged(url: str, schema: str, tables: Sequence[str]) -> None:
    """Create the stage's tables before dlt does, so that filling them is not logged.

    A stage is worth nothing after a crash; its write-ahead log is half the cost.
    """
    types = SQL_TYPES["postgres"]
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"create schema {schema}")
            for table in tables:
                columns = ", ".join(
                    f'"{column.name}" {types[column.kind]}'
                    for column in staged_columns(table)
                )
                connection.exec_driver_sql(
                    f"create unlogged table {schema}.{table} ({columns})"
                )
    finally:
        engine.dispose()


def _as_csv(files: dict[str, list[Path]], work_dir: Path) -> dict[str, list[Path]]:
    """Each Parquet file as a CSV file beside it: what PostgreSQL copies.

    dlt would do it with one thread and make one file of each table.
    """

    def convert(path: Path) -> Path:
        made = path.with_suffix(".csv")
        with database.cursor() as cursor:
            cursor.execute(
                f"copy (from read_parquet({text_literal(str(path))}))"
                f" to {text_literal(str(made))} (format csv, header true)"
            )
        return made

    with _open_duckdb(work_dir) as database, ThreadPoolExecutor(_THREADS) as pool:
        return {table: list(pool.map(convert, paths)) for table, paths in files.items()}


def _resource(table: str, paths: list[Path], file_format: Any) -> Any:
    import dlt

    sources = [path.with_suffix(".parquet") for path in paths]
    schemas = [pq.read_schema(path) for path in sources]
    columns: Any = {}
    for column in staged_columns(table):
        nullable = not column.required
        if file_format == "parquet":
            # dlt rewrites a file that disagrees with the table about nulls; here both
            # are ours. As CSV an empty text is null where the column says it may be.
            nullable = any(schema.field(column.name).nullable for schema in schemas)
        columns[column.name] = {
            "name": column.name,
            "nullable": nullable,
            **_DLT_TYPES[column.kind],
        }

    def items() -> Iterator[Any]:
        for path, source in zip(paths, sources, strict=True):
            rows = pq.read_metadata(source).num_rows
            yield dlt.mark.with_file_import(str(path), file_format, rows)

    return dlt.resource(
        items,
        name=table,
        columns=columns,
        write_disposition="append",
        schema_contract=_CONTRACT,
    )


@contextmanager
def _quiet_dlt() -> Iterator[None]:
    """dlt reads its settings from the environment; ours are none of its business."""
    wanted = {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
        "LOAD__RAISE_ON_FAILED_JOBS": "true",
        "LOAD__WORKERS": str(_THREADS),
    }
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
