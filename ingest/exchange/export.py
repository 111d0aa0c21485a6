"""From the exchange's tables into schema raw, what is new since the last copy.

The exchange's records are append-only and a day's are complete when it is settled, so
a copy begins where the last one ended and meets nothing that has changed. Rows go the
way of all rows: a stage filled by dlt, then one transaction.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, create_engine, inspect, text

from ingest.lastfm.recipes import SCHEMA, TABLES
from ingest.load.promote import FenceCheck, Raw, open_raw
from ingest.load.stage import Stage, fill_stage, stage_name
from warehouse.plurals import plural
from warehouse.run import Run, StepResult, Target
from warehouse.settings import Settings

EXCHANGE = "exchange"
_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


@dataclass(frozen=True)
class Source:
    """Where a raw table's rows come from: a query, and the column it grows by."""

    query: str
    grows_by: str


_HOLDINGS = """
    select
        market.last_settled_date as held_date,
        holdings.player_id,
        players.listener_id,
        holdings.artist_id,
        holdings.close_shares as shares
    from {schema}holdings as holdings
    inner join {schema}players as players on players.player_id = holdings.player_id
    cross join {schema}market as market
    where holdings.close_shares > 0
        and players.listener_id is not null
        and market.last_settled_date is not null
"""
SOURCES: dict[str, Source] = {
    "exchange__trades": Source("select * from {schema}trades", "session"),
    "exchange__prices": Source("select * from {schema}prices", "price_date"),
    "exchange__account_days": Source(
        "select * from {schema}account_days", "account_date"
    ),
    "exchange__dividends": Source("select * from {schema}dividends", "dividend_date"),
    "exchange__economy_days": Source(
        "select * from {schema}economy_days", "economy_date"
    ),
    "exchange__holdings": Source(_HOLDINGS, "held_date"),
}


def export_step(run: Run) -> StepResult:
    """Copy what the exchange has recorded since the last run; nothing where it is not.

    Part of the step ``load``; safe to repeat.
    """
    url = exchange_url(run.settings)
    if url is None:
        return StepResult("", {})
    rows = export(run.target, url, run.run_id, run.work_dir, run.lease.check)
    total = sum(rows.values())
    if not total:
        return StepResult("", {"exchange_rows": 0})
    return StepResult(
        f"{plural(total, 'row')} of the exchange", {"exchange_rows": total}
    )


def exchange_url(settings: Settings) -> str | None:
    """The exchange's database, or None where there is none yet."""
    if settings.warehouse_url is not None:
        return settings.warehouse_url
    path = settings.data_dir / "exchange.sqlite"
    return f"sqlite:///{path}" if path.exists() else None


def export(
    target: Target, url: str, run_id: str, work_dir: Path, fence_check: FenceCheck
) -> dict[str, int]:
    """Copy new rows; tells how many came into each raw table."""
    with open_raw(target) as raw:
        since = {table: _watermark(raw, table) for table in SOURCES}
    folder = work_dir / "exchange"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        files = {}
        with _exchange(url) as connection:
            if connection is None:
                return {}
            for table, last in since.items():
                rows = _new_rows(connection, table, last)
                if rows.num_rows:
                    files[table] = [folder / f"{table}.parquet"]
                    pq.write_table(rows, files[table][0])
        if not files:
            return {}
        stage = fill_stage(target, files, stage_name(f"{run_id}_exchange"), folder)
        return _promote(target, stage, list(files), fence_check)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watermark(raw: Raw, table: str) -> Any:
    column = SOURCES[table].grows_by
    return raw.rows(f"select max({column}) from {SCHEMA}.{table}")[0][0]


@contextmanager
def _exchange(url: str) -> Iterator[Connection | None]:
    """One reading transaction on the exchange; None where it has no tables yet."""
    is_sqlite = url.startswith("sqlite")
    engine = create_engine(url)
    try:
        schema = None if is_sqlite else EXCHANGE
        if not inspect(engine).has_table("economy_days", schema=schema):
            yield None
            return
        with engine.connect() as connection:
            if is_sqlite:
                # The driver begins no transaction for reading by itself.
                connection.exec_driver_sql("begin")
            else:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ"
                )
            yield connection
    finally:
        engine.dispose()


def _new_rows(connection: Connection, table: str, last: Any) -> pa.Table:
    """The rows from the watermark on, as Arrow, in the columns of the stage.

    The watermark itself is asked for again: a session can go on after a copy.
    """
    source = SOURCES[table]
    is_sqlite = connection.dialect.name == "sqlite"
    query = source.query.format(schema="" if is_sqlite else f"{EXCHANGE}.")
    columns = [c for c in TABLES[table].columns if c.name != "load_id"]
    names = ", ".join(f"found.{column.name}" for column in columns)
    sql = f"select {names} from ({query}) as found"
    binds = {}
    if last is not None:
        sql += f" where found.{source.grows_by} >= :last"
        binds["last"] = str(last) if is_sqlite and not isinstance(last, int) else last
    rows = connection.execute(text(sql), binds).fetchall()
    arrays = [pa.array([0] * len(rows), pa.int64())]
    fields = [pa.field("answer_no", pa.int64(), nullable=False)]
    for place, column in enumerate(columns):
        kind = _ARROW[column.kind]
        fields.append(pa.field(column.name, kind, nullable=not column.required))
        arrays.append(_array([row[place] for row in rows], column.kind, kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: list[Any], kind: str, arrow: pa.DataType) -> pa.Array:
    """SQLite has no dates, times or truth values of its own: text and numbers."""
    if kind == "boolean":
        return pa.array([None if v is None else bool(v) for v in values], arrow)
    if kind in ("date", "timestamp") and any(isinstance(v, str) for v in values):
        return pa.array(values, pa.string()).cast(arrow)
    return pa.array(values, arrow)


def _promote(
    target: Target, stage: Stage, tables: list[str], fence_check: FenceCheck
) -> dict[str, int]:
    schema = stage.schema if stage.duckdb is None else f"memory.{stage.schema}"
    moved = {}
    with open_raw(target, fence_check, stage) as raw:
        load_id = int(
            raw.rows(f"select coalesce(max(load_id), 0) from {SCHEMA}.loads")[0][0]
        )
        for table in tables:
            columns = [c.name for c in TABLES[table].columns if c.name != "load_id"]
            names = ", ".join(columns)
            same = " and ".join(
                f"there.{name} = staged.{name}" for name in TABLES[table].unique
            )
            moved[table] = raw.run(
                f"insert into {SCHEMA}.{table} (load_id, {names})"
                f" select {load_id}, {names} from {schema}.{table} as staged"
                f" where not exists"
                f" (select 1 from {SCHEMA}.{table} as there where {same})"
            )
        if stage.duckdb is None:
            raw.run(f"drop schema {stage.schema} cascade")
    return moved
