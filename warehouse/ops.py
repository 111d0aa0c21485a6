"""The ops database: journal, lease, versions and whatever a plug-in keeps beside them.

Owns the engine (SQLite under the data folder, or schema ``ops`` in PostgreSQL), its
transactions and its clock, and the tables of this package. Times are UTC.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeGuard

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from tenacity import retry, retry_if_exception_message, stop_after_delay, wait_random

from warehouse.errors import (
    Busy,
    Damaged,
    DatabaseLost,
    DiskFull,
    NotWritable,
    PublishFailed,
    SettingsError,
)
from warehouse.redact import redact
from warehouse.settings import Settings
from warehouse.tables import add_missing

# What PostgreSQL's driver says of a session that is lost: no code, or that the server
# was ended by its operator, by a crash, or is not there yet.
SERVER_GONE = (None, "57P01", "57P02", "57P03")

metadata = MetaData()

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("run_id", String(64)),
    Column("host", Text),
    Column("alive_path", Text),
    Column("expires_at", Float, doc="seconds since 1970 on the database's clock"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("fence", BigInteger, nullable=False, unique=True),
    Column("command", String(32), nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", String(16)),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("version", String(32)),
    Column("error", Text),
)

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("step", String(16), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("detail", Text, doc="JSON: the step's counts"),
)

versions = Table(
    "versions",
    metadata,
    Column("version", String(32), primary_key=True),
    Column("fence", BigInteger, nullable=False, unique=True),
    Column("run_id", String(64), nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("published_at", DateTime, nullable=False),
    Column("built_through", BigInteger, nullable=False),
    Column("project_hash", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("row_counts", Text, nullable=False, doc="JSON: mart -> rows"),
    Column("dropped_at", DateTime),
)

published = Table(
    "published",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("published_at", DateTime, nullable=False),
)


def utcnow() -> datetime:
    """The time now, UTC, without a zone, as every table here stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


def open_ops(settings: Settings) -> Engine:
    """Open (and create where missing) the ops database.

    Raises:
        DatabaseLost: PostgreSQL cannot be reached; the text has no password.
        Damaged: the file is no journal.
    """
    if settings.warehouse_url is None:
        path = journal_path(settings)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"DATA_DIR {settings.data_dir} cannot be made ({error.strerror})"
            ) from error
        engine = open_sqlite(path)
    else:
        engine = create_engine(settings.warehouse_url, pool_pre_ping=True)
        event.listen(engine, "begin", _never_idle)
        engine = engine.execution_options(schema_translate_map={None: "ops"})
    ensure_tables(engine, metadata)
    return engine


def open_to_read(settings: Settings) -> Engine:
    """Open the ops database for questions only, where it cannot be written as well.

    Raises:
        PublishFailed: the folder cannot be written and has no journal.
    """
    try:
        return open_ops(settings)
    except (NotWritable, SettingsError):
        path = journal_path(settings)
        if not path.exists():
            raise PublishFailed(
                f"nothing is published in {settings.data_dir}; run `make daily` first"
            ) from None
    # Nobody else writes either: SQLite needs no lock file beside it.
    return create_engine(f"sqlite:///file:{path}?immutable=1&uri=true")


def journal_path(settings: Settings) -> Path:
    """Where the embedded engine's journal lives."""
    return settings.data_dir / "ops.sqlite"


def ensure_tables(engine: Engine, tables: MetaData) -> None:
    """Create what is missing of the tables; several processes may do so at once."""
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # create_all looks first and creates after: two at once would collide.
                connection.execute(text("select pg_advisory_xact_lock(7365627374)"))
                # `if not exists` would need the right to create even where it exists.
                found = connection.execute(text("select to_regnamespace('ops')"))
                if found.scalar() is None:
                    connection.execute(text("create schema ops"))
            add_missing(connection, tables)
    except OperationalError as error:
        if "locked" in str(error):
            raise Busy(
                f"the journal {engine.url.database} is locked by another process;"
                " try again when it has finished"
            ) from error
        said = str(error.orig)
        if "disk is full" in said or "disk I/O error" in said:
            raise DiskFull(
                f"there is no room for the journal {engine.url.database}; nothing was"
                " begun. Free some space and run again"
            ) from error
        if "readonly" in said or "unable to open" in said:
            raise NotWritable(
                f"the journal {engine.url.database} cannot be written ({said}); run as"
                " its owner, or only read: `scrobble status`, `scrobble sql`"
            ) from error
        raise database_lost(error, engine) from error
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
        raise Damaged(
            f"the journal {engine.url.database} is damaged ({error.orig}); `scrobble"
            " repair` moves it aside and makes it again from the versions and landing"
        ) from error


def is_database_lost(error: BaseException) -> TypeGuard[DBAPIError]:
    """Whether PostgreSQL could not be reached, or ended the session."""
    return (
        isinstance(error, OperationalError | InterfaceError)
        and getattr(error.orig, "pgcode", "") in SERVER_GONE
    )


def database_lost(error: DBAPIError, engine: Engine | None = None) -> DatabaseLost:
    """The error of a database that does not answer, with what its driver says."""
    said = redact(str(error.orig).strip().partition("\n")[0])
    if engine is not None:
        return DatabaseLost(
            f"the database {engine.url.render_as_string()} cannot be reached ({said});"
            " nothing was changed. Look at WAREHOUSE_URL, or run again when it answers"
        )
    return DatabaseLost(
        f"the database went away ({said}); readers keep a whole version and"
        " nothing landed is lost. Run again when it answers"
    )


def is_damage(error: object) -> bool:
    """Whether SQLite says that a file is not what SQLite wrote."""
    said = str(error)
    return "not a database" in said or "malformed" in said


def sqlite_damage(path: Path) -> str | None:
    """What is wrong with one of our SQLite files; None where it is whole or absent."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path, timeout=30)
    try:
        ((said,), *_) = connection.execute("pragma quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return str(error)
    finally:
        connection.close()
    # One sentence: SQLite writes each finding on a line of its own.
    return None if said == "ok" else " ".join(str(said).split())


def database_now(connection: Connection) -> float:
    """Seconds since 1970 on the database's own clock."""
    if connection.dialect.name == "postgresql":
        sql = "select cast(extract(epoch from clock_timestamp()) as double precision)"
    else:
        sql = "select (julianday('now') - 2440587.5) * 86400.0"
    return float(connection.execute(text(sql)).scalar_one())


def database_time(connection: Connection) -> datetime:
    """The time on the database's own clock, as the tables here store it."""
    return datetime.fromtimestamp(database_now(connection), UTC).replace(tzinfo=None)


def _never_idle(connection: Connection) -> None:
    """Let the server end a frozen process's transaction: its locks stop the next run.

    Set in each transaction, because a pooler forgets or mixes up a session's settings.
    """
    connection.exec_driver_sql("set local idle_in_transaction_session_timeout = '60s'")


def open_sqlite(path: Path) -> Engine:
    """One of our SQLite files; each of its transactions takes the write lock."""
    keep_private(path)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        configure_sqlite(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("begin immediate")

    return engine


def keep_private(file: Path) -> None:
    """Let nobody but its owner read an SQLite file of ours that is there already."""
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        # Another's file, or one on a read-only disk, cannot be closed here.
        with suppress(OSError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)


def configure_sqlite(connection: sqlite3.Connection, sync: str = "full") -> None:
    """Prepare a new connection to one of our SQLite files; BEGIN is the engine's."""
    # The driver's own BEGIN is deferred: two writers then fail instead of queueing.
    connection.isolation_level = None
    _use_wal(connection)
    connection.execute(f"pragma synchronous = {sync}")
    connection.execute("pragma foreign_keys = on")
    # What is deleted is overwritten, at once.
    connection.execute("pragma secure_delete = on")


# The first connections to a new file: SQLite does not queue for this lock by itself.
@retry(
    retry=retry_if_exception_message(match="database is locked"),
    wait=wait_random(0.01, 0.1),
    stop=stop_after_delay(15),
    reraise=True,
)
def _use_wal(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
