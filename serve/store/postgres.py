"""PostgreSQL: schema marts, with the version read in the same transaction.

Every transaction is REPEATABLE READ READ ONLY and reads the pointer first, so what
follows is that version even when a publish happens in between. Rows come in binary:
reading numbers and times from text costs more than the rest of a small answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import adapters, errors, pq
from psycopg.adapt import Buffer, Loader
from sqlalchemy import create_engine, event, make_url
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
# One message and one answer: the transaction and the version it reads.
_BEGIN = b"""
    begin isolation level repeatable read read only;
    select version, as_of_date, published_at from ops.published order by name limit 1
"""
_GENERATION = (
    "select coalesce(max(value), '') from exchange.serve_state where name = %s"
)
_BUMP = """
    begin read write;
    insert into exchange.serve_state (name, value)
    values ('generation', cast(clock_timestamp() as text))
    on conflict (name) do update set value = excluded.value;
    commit
"""


@dataclass
class _OfVersion:
    """What is remembered of one version: by questions, and the columns of each text."""

    version: str
    memo: dict[Any, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=dict
    )


class _Reader:
    def __init__(self, published: Published, cursor: Any, known: _OfVersion) -> None:
        self.published = published
        self.memo = known.memo
        self._shapes = known.shapes
        self._cursor = cursor

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        text, names = translate(sql, "psycopg")
        cursor = self._cursor
        # With its version, because a prepared statement refuses columns of other types.
        text = f"{text}\n-- {self.published.version}"
        cursor.execute(text, chosen(names, binds or {}))
        shape = self._shapes.get(text)
        if shape is None:
            described = cursor.description or ()
            shape = self._shapes[text] = (
                tuple(item.name for item in described),
                tuple(_KINDS.get(item.type_code, "text") for item in described),
            )
        return Result(*shape, cursor.fetchall())


class PostgresStore:
    """The schema marts of the warehouse's database."""

    def __init__(self, settings: ServeSettings) -> None:
        assert settings.database_url is not None
        milliseconds = int(settings.statement_seconds * 1000)
        self._engine = create_engine(
            make_url(settings.database_url).set(drivername="postgresql+psycopg"),
            use_native_hstore=False,
            pool_reset_on_return=None,  # _transaction ends what it began
            pool_size=4,
            max_overflow=4,
            pool_timeout=5,
            pool_recycle=300,
            connect_args={
                "autocommit": True,
                "prepare_threshold": 2,
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
        self._of_version = _OfVersion("")

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
        with self._transaction() as (cursor, published):
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
            try:
                raw.execute(_BUMP)
            finally:
                raw.rollback()
        self._known = None

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Any, Published]]:
        try:
            connection = self._engine.raw_connection()
        except (SQLAlchemyError, psycopg.Error) as error:
            cause = getattr(error, "orig", error)
            raise StoreUnavailable(
                f"the warehouse cannot be reached: {str(cause).splitlines()[0]}"
            ) from error
        raw: Any = connection.dbapi_connection
        try:
            try:
                published = _begin(raw)
                with raw.cursor(binary=True) as cursor:
                    yield cursor, published
            finally:
                _send(raw, b"rollback")
            connection.close()
        except (errors.OperationalError, errors.InterfaceError) as error:
            connection.invalidate()
            connection.close()
            raise StoreUnavailable(
                f"the warehouse cannot be read: {str(error).splitlines()[0]}"
            ) from error
        except (
            errors.UndefinedTable,
            errors.UndefinedColumn,
            errors.InvalidSchemaName,
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
        with self._transaction() as (cursor, published):
            known = self._of_version
            if known.version != published.version:
                known = self._of_version = _OfVersion(published.version)
            yield _Reader(published, cursor, known)

    def versions(self) -> list[dict[str, Any]]:
        with self._transaction() as (cursor, published):
            cursor.execute(
                "select version, as_of_date, bytes from ops.versions"
                " where dropped_at is null order by fence desc"
            )
            return [
                {
                    "version": version,
                    "as_of_date": as_of.isoformat(),
                    "bytes": size,
                    "is_published": version == published.version,
                }
                for version, as_of, size in cursor.fetchall()
            ]

    def close(self) -> None:
        self._engine.dispose()


def _begin(raw: Any) -> Published:
    """Begin a transaction and read the version in it.

    Raises:
        StoreUnavailable: nothing is published.
    """
    try:
        found = _send(raw, _BEGIN)
    except errors.UndefinedTable:
        found = None
    if found is None or found.ntuples == 0:
        raise StoreUnavailable(
            "nothing is published in this database; run make daily", "nothing_published"
        )
    # Not null in ops.published, and in text: this is the simple protocol.
    version, as_of, published_at = (found.get_value(0, i) or b"" for i in range(3))
    return Published(
        version.decode(),
        date.fromisoformat(as_of.decode()),
        datetime.fromisoformat(published_at.decode()),
    )


def _send(raw: Any, sql: bytes) -> pq.abc.PGresult:
    """Send statements without parameters as they are; returns the last one's result.

    A cursor would cost three times the processor time for the same message.
    """
    found: pq.abc.PGresult = raw.pgconn.exec_(sql)
    if found.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return found
    if raw.pgconn.status != pq.ConnStatus.OK:
        raise errors.OperationalError(raw.pgconn.get_error_message())
    raise errors.error_from_result(found)


def _prepare(connection: Any, _record: object) -> None:
    # numeric comes as float: answers are JSON numbers, and Decimal costs ten times.
    connection.adapters.register_loader("numeric", _FloatLoader)
    # A pooler in between makes up the process's number; the next transaction may have
    # another process, which does not know the statements this one has prepared.
    found = _send(connection, b"select pg_backend_pid()").get_value(0, 0)
    if int(found or 0) != connection.info.backend_pid:
        connection.prepare_threshold = None


class _FloatLoader(Loader):
    """A numeric in binary as the nearest float."""

    format = pq.Format.BINARY

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        found = adapters.get_loader(oid, self.format)
        assert found is not None
        self._decimal = found(oid, context).load

    def load(self, data: Buffer) -> float:
        return float(self._decimal(data))
