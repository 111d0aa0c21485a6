"""PostgreSQL: schema marts, with the version read in the same transaction.

Every transaction is REPEATABLE READ READ ONLY and reads the pointer with its first
question, so what follows is that version even when a publish happens in between. Rows
come in binary: reading numbers and times from text costs more than the rest of a small
answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    VersionMoved,
    translate,
)
from serve.store.messages import Session, Statement

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
# Answers of a whole library group hundreds of thousands of rows: in the server's own
# 4 MB such a table of hashes goes to disk, and compiling costs more than it brings.
_PLANNING = "-c work_mem=32MB -c jit=off"
_BEGIN: tuple[Statement, ...] = (
    ("begin isolation level repeatable read read only", ()),
    (
        "select version, as_of_date, published_at from ops.published"
        " order by name limit 1",
        (),
    ),
)
# What a question may fail with when the version it was made for has gone.
_OTHER_LAYOUT = (
    errors.FeatureNotSupported,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
)
_ROLLBACK: Statement = ("rollback", ())
_GENERATION = """
    select coalesce(max(value), '') as value from exchange.serve_state
    where name = 'generation'
"""
_BUMP: tuple[Statement, ...] = (
    ("begin read write", ()),
    (
        "insert into exchange.serve_state (name, value)"
        " values ('generation', cast(clock_timestamp() as text))"
        " on conflict (name) do update set value = excluded.value",
        (),
    ),
    ("commit", ()),
)


@dataclass
class _OfVersion:
    """What is remembered of one version: by questions, and the columns of each text."""

    version: str
    memo: dict[Any, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=dict
    )


class _Reader:
    """A transaction that begins with its first question, in the same message."""

    def __init__(
        self, store: PostgresStore, session: Session, assumed: Published | None
    ) -> None:
        self._store = store
        self._session = session
        self._published = assumed
        self._has_begun = False

    @property
    def published(self) -> Published:
        if self._published is None:
            self._ask()
            assert self._published is not None
        return self._published

    @property
    def memo(self) -> dict[Any, Any]:
        return self._store.known_of(self.published.version).memo

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        text, names = translate(sql, "postgres")
        # With its version, because a prepared statement refuses columns of other types.
        text = f"{text}\n-- {self.published.version}"
        given = binds or {}
        (found,) = self._ask((text, [given[name] for name in names]))
        shapes = self._store.known_of(self.published.version).shapes
        shape = shapes.get(text)
        if shape is None:
            columns = range(found.nfields)
            shape = shapes[text] = (
                tuple((found.fname(i) or b"").decode() for i in columns),
                tuple(_KINDS.get(found.ftype(i), "text") for i in columns),
            )
        return Result(*shape, self._session.rows(found))

    def leave(self) -> None:
        """End the transaction; nobody waits for the server's word on it."""
        if self._has_begun:
            self._session.send(_ROLLBACK)

    def _ask(self, *statements: Statement) -> list[pq.abc.PGresult]:
        if self._has_begun:
            return self._session.ask(*statements)
        self._has_begun = True
        try:
            _, pointer, *found = self._session.ask(*_BEGIN, *statements)
        except _OTHER_LAYOUT as error:
            if "ops.published" in str(error):
                raise _nothing_published() from None
            if statements:
                raise self._moved() from error
            raise
        rows = self._session.rows(pointer)
        if not rows:
            raise _nothing_published()
        published = Published(*rows[0])
        if self._published not in (None, published):
            raise self._moved()
        self._published = published
        return found

    def _moved(self) -> VersionMoved:
        self._store.forget_pointer()
        return VersionMoved("another version was published meanwhile")


class PostgresStore:
    """The schema marts of the warehouse's database."""

    def __init__(self, settings: ServeSettings, url: str) -> None:
        milliseconds = int(settings.statement_seconds * 1000)
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            use_native_hstore=False,
            pool_reset_on_return=None,  # a reader ends what it began
            pool_size=4,
            max_overflow=4,
            pool_timeout=5,
            pool_recycle=300,
            connect_args={
                "autocommit": True,
                "connect_timeout": 3,
                "options": f"-c statement_timeout={milliseconds} -c timezone=UTC"
                f" {_PLANNING}",
                "application_name": "scrobble serve",
            },
        )
        # Longer than the server gives a statement: it ends most of them itself.
        self._patience = settings.statement_seconds + 5
        event.listen(self._engine, "connect", self._open_session)
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
        with self.read() as reader:
            published = reader.published
            has_state = reader.query(
                "select to_regclass('exchange.serve_state') is not null as is_there"
            )
            if not has_state.rows[0][0]:
                return published, ""
            return published, str(reader.query(_GENERATION).rows[0][0])

    def published(self) -> Published:
        return self._poll()[1]

    def state(self) -> tuple[str, str]:
        _, published, generation = self._poll()
        return published.version, generation

    def invalidate(self) -> None:
        with self._session() as session:
            try:
                session.ask(*_BUMP)
            except psycopg.Error:
                session.send(_ROLLBACK)
                raise
        self.forget_pointer()

    def forget_pointer(self) -> None:
        """Read the pointer anew at the next request."""
        self._known = None

    def known_of(self, version: str) -> _OfVersion:
        """What is remembered of a version; what was of another one is dropped."""
        known = self._of_version
        if known.version != version:
            known = self._of_version = _OfVersion(version)
        return known

    @contextmanager
    def read(self, *, can_repeat: bool = False) -> Iterator[_Reader]:
        seen = self._known if can_repeat else None
        with self._session() as session:
            reader = _Reader(self, session, seen[1] if seen else None)
            try:
                yield reader
            finally:
                reader.leave()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            connection = self._engine.raw_connection()
        except (SQLAlchemyError, psycopg.Error) as error:
            cause = getattr(error, "orig", error)
            raise StoreUnavailable(
                f"the warehouse cannot be reached: {str(cause).splitlines()[0]}"
            ) from error
        try:
            yield connection.info["session"]
        except (errors.OperationalError, errors.InterfaceError) as error:
            connection.invalidate()
            raise StoreUnavailable(
                f"the warehouse cannot be read: {str(error).splitlines()[0]}"
            ) from error
        except _OTHER_LAYOUT as error:
            raise StoreUnavailable(
                f"the marts lack what is asked for: {str(error).splitlines()[0]}",
                "mart_missing",
            ) from error
        finally:
            connection.close()

    def _open_session(self, connection: Any, record: Any) -> None:
        # numeric comes as float: answers are JSON numbers, and Decimal costs ten times.
        connection.adapters.register_loader("numeric", _FloatLoader)
        # A pooler in between makes up the process's number; the next transaction may
        # have another process, which does not know what this one has prepared.
        (found,) = connection.execute("select pg_backend_pid()").fetchone()
        is_direct = found == connection.info.backend_pid
        record.info["session"] = Session(connection, self._patience, is_direct)

    def versions(self) -> list[dict[str, Any]]:
        with self.read() as reader:
            published = reader.published
            return [
                {
                    "version": version,
                    "as_of_date": as_of.isoformat(),
                    "bytes": size,
                    "is_published": version == published.version,
                }
                for version, as_of, size in reader.query(
                    "select version, as_of_date, bytes from ops.versions"
                    " where dropped_at is null order by fence desc"
                ).rows
            ]

    def close(self) -> None:
        self._engine.dispose()


def _nothing_published() -> StoreUnavailable:
    return StoreUnavailable(
        "nothing is published in this database; run make daily", "nothing_published"
    )


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
