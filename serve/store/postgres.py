"""PostgreSQL: schema marts, with the version read in the same transaction.

Every transaction is REPEATABLE READ READ ONLY and reads the pointer first, so what
follows is that version even when a publish happens in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import DECIMAL, new_type, register_type
from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from serve.settings import ServeSettings
from serve.store.contract import (
    Published,
    Result,
    StoreUnavailable,
    chosen,
    translate,
)

_KINDS = {
    16: "boolean",
    20: "integer",
    21: "integer",
    23: "integer",
    700: "double",
    701: "double",
    1700: "double",
    1082: "date",
    1114: "timestamp",
    1184: "timestamp",
}
_POINTER = (
    "select version, as_of_date, published_at from ops.published order by name limit 1"
)
_GENERATION = (
    "select coalesce(max(value), '') from exchange.serve_state where name = %s"
)
_BUMP = """
    insert into exchange.serve_state (name, value)
    values ('generation', cast(clock_timestamp() as text))
    on conflict (name) do update set value = excluded.value
"""


class _Reader:
    def __init__(self, published: Published, cursor: Any, memo: dict[Any, Any]) -> None:
        self.published = published
        self.memo = memo
        self._cursor = cursor

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        text, names = translate(sql, "psycopg2")
        self._cursor.execute(text, chosen(names, binds or {}))
        description = self._cursor.description or ()
        return Result(
            tuple(item.name for item in description),
            tuple(_KINDS.get(item.type_code, "text") for item in description),
            self._cursor.fetchall(),
        )


class PostgresStore:
    """The schema marts of the warehouse's database."""

    def __init__(self, settings: ServeSettings) -> None:
        assert settings.database_url is not None
        milliseconds = int(settings.statement_seconds * 1000)
        self._engine = create_engine(
            settings.database_url,
            pool_size=4,
            max_overflow=4,
            pool_timeout=5,
            pool_recycle=300,
            connect_args={
                "connect_timeout": 3,
                "options": f"-c statement_timeout={milliseconds} -c timezone=UTC",
                "application_name": "scrobble serve",
            },
        )
        event.listen(self._engine, "connect", _prepare)
        self._every = settings.pointer_seconds
        self._lock = threading.Lock()
        self._known: tuple[float, Published, str] | None = None
        self._failed: tuple[float, str, str] | None = None
        self._memo: tuple[str, dict[Any, Any]] = ("", {})

    def _poll(self) -> tuple[float, Published, str]:
        known = self._known
        now = time.monotonic()
        if known is not None and now - known[0] < self._every:
            return known
        failed = self._failed
        # A server that does not answer would hold up every cached answer.
        if failed is not None and now - failed[0] < self._every:
            raise StoreUnavailable(*failed[1:])
        with self._lock:
            try:
                self._known = (now, *self._read_pointer())
            except StoreUnavailable as error:
                self._failed = (time.monotonic(), error.detail, error.code)
                raise
            return self._known

    def _read_pointer(self) -> tuple[Published, str]:
        with self._transaction() as cursor:
            published = _pointer(cursor)
            cursor.execute("select to_regclass('exchange.serve_state') is not null")
            generation = ""
            if cursor.fetchone()[0]:
                cursor.execute(_GENERATION, ("generation",))
                generation = str(cursor.fetchone()[0])
            return published, generation

    def published(self) -> Published:
        return self._poll()[1]

    def state(self) -> tuple[str, str]:
        _, published, generation = self._poll()
        return published.version, generation

    def invalidate(self) -> None:
        with self._engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.rollback()
            raw.set_session(readonly=False)
            try:
                with raw.cursor() as cursor:
                    cursor.execute(_BUMP)
                raw.commit()
            finally:
                raw.rollback()
                raw.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self._known = None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            connection = self._engine.raw_connection()
        except (SQLAlchemyError, psycopg2.Error) as error:
            cause = getattr(error, "orig", error)
            raise StoreUnavailable(
                f"the warehouse cannot be reached: {str(cause).splitlines()[0]}"
            ) from error
        try:
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
            connection.rollback()
            connection.close()
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            connection.invalidate()
            connection.close()
            raise StoreUnavailable(
                f"the warehouse cannot be read: {str(error).splitlines()[0]}"
            ) from error
        except (
            psycopg2.errors.UndefinedTable,
            psycopg2.errors.UndefinedColumn,
            psycopg2.errors.InvalidSchemaName,
        ) as error:
            connection.close()
            raise StoreUnavailable(
                f"the marts lack what is asked for: {str(error).splitlines()[0]}",
                "mart_missing",
            ) from error
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def read(self) -> Iterator[_Reader]:
        with self._transaction() as cursor:
            published = _pointer(cursor)
            memo = self._memo
            if memo[0] != published.version:
                memo = self._memo = (published.version, {})
            yield _Reader(published, cursor, memo[1])

    def versions(self) -> list[dict[str, Any]]:
        with self._transaction() as cursor:
            current = _pointer(cursor).version
            cursor.execute(
                "select version, as_of_date, bytes from ops.versions"
                " where dropped_at is null order by fence desc"
            )
            return [
                {
                    "version": version,
                    "as_of_date": as_of.isoformat(),
                    "bytes": size,
                    "is_published": version == current,
                }
                for version, as_of, size in cursor.fetchall()
            ]

    def close(self) -> None:
        self._engine.dispose()


def _pointer(cursor: Any) -> Published:
    try:
        cursor.execute(_POINTER)
        row = cursor.fetchone()
    except psycopg2.errors.UndefinedTable:
        row = None
    if row is None:
        raise StoreUnavailable(
            "nothing is published in this database; run make daily", "nothing_published"
        )
    published_at: datetime = row[2]
    return Published(row[0], row[1], published_at)


def _prepare(connection: Any, _record: object) -> None:
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    # numeric comes as float: answers are JSON numbers, and Decimal costs ten times.
    register_type(
        new_type(DECIMAL.values, "DEC2FLOAT", lambda value, _: _float(value)),
        connection,
    )


def _float(value: str | None) -> float | None:
    return None if value is None else float(value)
