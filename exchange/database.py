"""Connections and transactions of the exchange, on SQLite and PostgreSQL.

SQLite: WAL, `synchronous=FULL`, and every writing transaction is `BEGIN IMMEDIATE`
behind a queue lock, a lock file which the kernel passes on in order and releases when a
process dies: SQLite's own waiting is polling, and under load some pollers never get in.
PostgreSQL: READ COMMITTED with explicit row locks, always in the order market, player,
listing.
"""

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.pool import QueuePool

from exchange.errors import Refusal
from exchange.prepared import execute
from exchange.schema import SCHEMA
from warehouse.errors import Damaged, WarehouseError
from warehouse.ops import configure_sqlite, is_damage, keep_private

MIGRATIONS = Path(__file__).parent / "migrations"
# PostgreSQL: serialisation failure, deadlock, the server going down or coming up.
_TRANSIENT = {"40001", "40P01", "57P01", "57P02", "57P03", "08006", "08001", "08003"}
_NOT_ALLOWED = "42501"

# Seconds after which a connection to a server is made anew.
RECYCLED = 600

Result = TypeVar("Result")


def sqlite_url(data_dir: Path) -> str:
    """Where the embedded exchange lives."""
    return f"sqlite:///{data_dir / 'exchange.sqlite'}"


class Database:
    """One exchange database; safe to share between threads, not across a fork."""

    def __init__(self, url: str, *, pool_size: int = 8, sync: str = "FULL") -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._queue: Path | None = None
        if self.is_sqlite:
            file = self.url.database
            if not file or file == ":memory:":
                raise ValueError("the exchange needs a file: sqlite:///path/to/file")
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            keep_private(Path(file))
            self._queue = Path(f"{file}.queue")
            self.engine = _sqlite_engine(url, pool_size, sync)
        else:
            self.engine = create_engine(
                self.url.set(drivername="postgresql+psycopg2"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_recycle=RECYCLED,
                connect_args={"connect_timeout": 10},
            )

        # Options of a connection cost at every transaction, those of an engine once.
        if self.is_sqlite:
            writing: Engine = self.engine.execution_options(exchange_writes=True)
            reading: Engine = self.engine
        else:
            writing = self.engine
            reading = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writing = _Kept(writing, pool_size)
        self._reading = _Kept(reading, pool_size)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One writing transaction: commits at the end, or leaves nothing."""
        with (
            self._writing.connection() as connection,
            self._in_queue(),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _in_queue(self) -> Iterator[None]:
        """Until it is this writer's turn, and for as long as it takes; SQLite only."""
        if self._queue is None:
            yield
            return
        descriptor = os.open(self._queue, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction: everything in it is of one moment."""
        with self._reading.connection() as connection, connection.begin():
            yield connection

    def run(
        self, action: Callable[[Connection], Result], *, attempts: int = 5
    ) -> Result:
        """Run one use case in one transaction, again if the database was at fault.

        Only failures after which nothing can have been committed are repeated; a
        connection lost while committing is repeated too, which is safe because every
        write is idempotent by key, day or state.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self.write() as connection:
                    return action(connection)
            except DBAPIError as error:
                if not is_transient(error):
                    raise
                if attempt == attempts:
                    raise Refusal(
                        "busy", "the database did not take the request; try again"
                    ) from error
                time.sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def upgrade(self) -> None:
        """Create the tables, or bring them to this program's revision.

        Raises:
            WarehouseError: this login may not; the text says who may.
        Damaged: the file is no exchange.
        """
        if self.is_sqlite:
            try:
                with self.engine.connect() as connection:
                    self._migrate(connection)
            except DatabaseError as error:
                if not is_damage(error.orig):
                    raise
                raise damaged(str(self.url.database), str(error.orig)) from error
            return
        try:
            with self.engine.begin() as connection:
                create_tables(connection)
        except ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) != _NOT_ALLOWED:
                raise
            raise WarehouseError(
                f"login {self.url.username} may not create or change the exchange's"
                " tables; `scrobble db init` does it, and gives it the rights it needs"
            ) from error

    def _migrate(self, connection: Connection) -> None:
        with self._in_queue():
            command.upgrade(alembic_config(connection), "head")

    def is_current(self) -> bool:
        """Whether the tables are those this program was written for."""
        head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        with self.engine.connect() as connection:
            return revision(connection) == head

    def dispose(self) -> None:
        self._writing.close()
        self._reading.close()
        self.engine.dispose()


class _Kept:
    """Connections kept from one transaction to the next.

    Taking one from SQLAlchemy's pool and giving it back costs as much as five
    statements of a trade.
    """

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine = engine
        self._most = most
        self._idle: deque[tuple[Connection, float]] = deque()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection without a transaction; none that was closed or lost is kept."""
        connection, opened = self._take()
        try:
            yield connection
        finally:
            is_usable = not (connection.closed or connection.invalidated)
            if is_usable and len(self._idle) < self._most:
                self._idle.append((connection, opened))
            else:
                connection.close()

    def _take(self) -> tuple[Connection, float]:
        # Taking and giving back are atomic; two threads never get the same.
        while self._idle:
            with suppress(IndexError):
                connection, opened = self._idle.pop()
                if time.monotonic() - opened < RECYCLED:
                    return connection, opened
                connection.close()
        return self._engine.connect(), time.monotonic()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()


def damaged(file: str, said: str) -> Damaged:
    """The error of an exchange that cannot be read."""
    return Damaged(
        f"the exchange {file} is damaged ({said}): restore it from a backup (with its"
        " -wal file away), then run again; nothing was changed. If there is none,"
        " `scrobble market found --reason TEXT` sets it aside and begins a new one"
    )


def create_tables(connection: Connection) -> bool:
    """Create or change the tables in PostgreSQL, in the caller's transaction.

    A lock of the transaction, not of the session: behind a pooler another session
    would be asked to give it back. Returns whether there was anything to do.
    """
    # Two starts at once: the second waits and finds the work done.
    connection.execute(
        text("select pg_advisory_xact_lock(hashtext('exchange.upgrade'))")
    )
    # Even `if not exists` needs the right to make schemas.
    there = text("select to_regnamespace(:name)")
    if connection.execute(there, {"name": SCHEMA}).scalar() is None:
        connection.execute(text(f"create schema {SCHEMA}"))
    before = revision(connection)
    command.upgrade(alembic_config(connection), "head")
    return revision(connection) != before


def revision(connection: Connection) -> str | None:
    """The migration the tables are at; None before the first."""
    options: dict[str, Any] = {}
    if connection.dialect.name != "sqlite":
        options["version_table_schema"] = SCHEMA
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings: its folder and the connection to work on."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def is_transient(error: DBAPIError) -> bool:
    """Whether trying again may help, without anything having been decided."""
    code = getattr(error.orig, "pgcode", None)
    if code is not None:
        return code in _TRANSIENT
    if error.connection_invalidated:
        return True
    if type(error.orig).__module__.startswith("sqlite3"):
        return isinstance(error, OperationalError) and "locked" in str(error.orig)
    # PostgreSQL without a code: no connection could be made, or it was lost.
    return isinstance(error, OperationalError | InterfaceError)


def _sqlite_engine(url: str, pool_size: int, sync: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": 30, "check_same_thread": False},
    ).execution_options(schema_translate_map={SCHEMA: None})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        configure_sqlite(connection, sync)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("exchange_writes")
        execute(connection, "begin immediate" if writes else "begin", ()).close()

    return engine
