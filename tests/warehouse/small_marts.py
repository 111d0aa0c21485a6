"""Three small marts whose every answer tells the day they were built for.

Owns the hand-made contents of schema marts_build and the steps around publishing them,
so that tests of publishing need neither a fetch nor dbt.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from warehouse import ops, store
from warehouse.lease import Lease
from warehouse.marts import Mart, Meta
from warehouse.postgres_store import PostgresStore
from warehouse.report import Reporter
from warehouse.run import Run
from warehouse.settings import Settings

DAY = date(2026, 1, 1)
ARTISTS = 200

# What one statement, or one transaction statement by statement, is asked.
QUESTIONS = {
    "dim_artists": "select min(playcount), max(playcount), count(*)"
    " from {}.dim_artists",
    "fct_scrobbles": "select count(*), min(built_day), max(built_day)"
    " from {}.fct_scrobbles",
    "totals": "select min(scrobbles), max(scrobbles), count(*) from {}.totals",
}


def small_mart(name: str, description: str = "", **meta: Any) -> Mart:
    """A mart as the project would describe it."""
    return Mart(
        name=name,
        description=description,
        columns={},
        group=None,
        owner=None,
        meta=Meta.model_validate(meta),
    )


def small_marts() -> dict[str, Mart]:
    """What the project would say of the three marts."""
    marts = (
        small_mart("dim_artists", segment="artist_id", indexes=[["artist_id"]]),
        small_mart(
            "fct_scrobbles",
            segment="scrobbled_date",
            months="scrobbled_date",
            indexes=[["listener_id", "scrobbled_at"], ["scrobbled_date"]],
        ),
        small_mart("totals", segment="period"),
    )
    return {mart.name: mart for mart in marts}


def answers(day: int) -> dict[str, tuple[int, int, int]]:
    """The only right answers on a day.

    Each day brings ten scrobbles and takes one old one away; those of the first days
    lose their place in time and so stay as they are.
    """
    scrobbles = 1000 + 9 * day
    return {
        "dim_artists": (day, day, ARTISTS),
        "fct_scrobbles": (scrobbles, 0, day),
        "totals": (scrobbles, scrobbles, 1),
    }


def table_sql(name: str, day: int) -> str:
    """The rows of a mart as dbt would have made them for this day."""
    if name == "dim_artists":
        return (
            "select md5(cast(n as text)) as artist_id, 'Artist ' || n as artist_name,"
            f" cast({day} as bigint) as playcount"
            f" from generate_series(1, {ARTISTS}) as n"
        )
    if name == "totals":
        scrobbles = f"cast({1000 + 9 * day} as bigint) as scrobbles"
        return f"select 'all_time' as period, {scrobbles}"
    return (
        "select cast(n as text) as scrobble_id, 'listener' || n % 20 as listener_id,"
        " timestamp '2025-01-01' + n * interval '12 hours' as scrobbled_at,"
        " cast(timestamp '2025-01-01' + n * interval '12 hours' as date)"
        "   as scrobbled_date,"
        " cast(case when n <= 1000 then 0 else (n - 991) / 10 end as integer)"
        "   as built_day"
        f" from generate_series(1, {1000 + 10 * day}) as n"
        f" where n > 1000 or n > {day} or {day} = 0"
    )


def make_settings(url: str, data_dir: Path, **others: object) -> Settings:
    """Settings of a warehouse in this database."""
    values = {"lease_seconds": 30, **others}
    return Settings(data_dir=data_dir, warehouse_url=url, **values)  # type: ignore[arg-type]


def begin_run(settings: Settings, engine: Engine, name: str) -> Run:
    """A run that holds the lease and has opened its candidate."""
    lease = Lease(engine, name, settings.data_dir / "alive", settings.lease_seconds)
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
        version=f"20260101-{lease.fence:06d}",
        marts=small_marts(),
    )
    warehouse = PostgresStore(settings, engine)
    run.target = warehouse.open_candidate(run, None)
    warehouse.discard(run)
    return run


def fill(connection: Connection, schema: str, day: int) -> None:
    """Make the three marts of a day in a schema, in this transaction."""
    for name in QUESTIONS:
        connection.execute(text(f"drop table if exists {schema}.{name}"))
        connection.execute(
            text(f"create table {schema}.{name} as {table_sql(name, day)}")
        )


def version_of(run: Run, audit: store.Audit) -> store.Version:
    """The version that this run would publish."""
    return store.Version(
        version=run.version,
        fence=run.lease.fence,
        run_id=run.run_id,
        as_of_date=run.as_of_date,
        published_at=ops.utcnow(),
        built_through=audit.built_through,
        project_hash="test",
        bytes=audit.bytes,
        row_counts=audit.row_counts,
    )


def publish_day(settings: Settings, day: int, name: str = "") -> store.Version:
    """One whole run: build a day's marts, publish them, drop what is old."""
    engine = ops.open_ops(settings)
    try:
        run = begin_run(settings, engine, name or f"day{day}-{os.getpid()}")
        warehouse = PostgresStore(settings, engine)
        try:
            builder = create_engine(str(run.target.url))
            with builder.begin() as connection:
                fill(connection, "marts_build", day)
            builder.dispose()
            version = version_of(run, warehouse.seal(run))
            warehouse.publish(run, version)
            store.drop_old_versions(
                warehouse, engine, lambda kept: kept[: settings.keep_versions]
            )
            return version
        finally:
            warehouse.discard(run)
            run.lease.release()
    finally:
        engine.dispose()


def read_all(
    connection: Connection, schema: str = "marts"
) -> dict[str, tuple[int, ...]]:
    """The answers to all questions, one statement each."""
    return {
        name: tuple(connection.execute(text(question.format(schema))).one())
        for name, question in QUESTIONS.items()
    }
