"""The tables of accounts and jobs, and the engine they are reached by."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    text,
)

from serve.settings import ServeSettings
from warehouse.forgetting import deleted_listeners, deletion_requests
from warehouse.linked_accounts import linked_accounts
from warehouse.ops import configure_sqlite, keep_private
from warehouse.tables import add_missing

metadata = MetaData()
_SCHEMA = "exchange"

# SQLite counts only a plain INTEGER primary key by itself.
_Key = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", _Key, primary_key=True, autoincrement=True),
    Column("listener_id", String(64), nullable=False, unique=True),
    Column("listener_name", String(64), nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("last_login_at", DateTime, nullable=False),
    # When last.fm says the name was registered, seconds since 1970; null until a login
    # has asked. A name that is registered anew belongs to somebody else.
    Column("registered_uts", BigInteger),
    # Whose days and hours one's own pages show, as Europe/Oslo; null is UTC.
    Column("time_zone", String(64)),
    # The own rules, as serve.own_rules writes them; null where there are none. In this
    # row, because whoever asks for the account needs them, and nobody else does.
    Column("rules", Text),
    sqlite_autoincrement=True,  # an id is never given twice
)


def _owner() -> Column[int]:
    return Column(
        "account_id",
        _Key,
        ForeignKey("accounts.account_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


sessions = Table(
    "account_sessions",
    metadata,
    Column("session_hash", String(64), primary_key=True),
    _owner(),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    # Null for a session of an earlier release, which has not been used since.
    Column("last_used_at", DateTime),
)

tokens = Table(
    "account_tokens",
    metadata,
    Column("token_id", _Key, primary_key=True, autoincrement=True),
    _owner(),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("last_used_at", DateTime),
    Column("revoked_at", DateTime),
    sqlite_autoincrement=True,
)

logins = Table(
    "account_logins",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("used_at", DateTime),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(32), primary_key=True),
    _owner(),
    Column("kind", String(32), nullable=False),
    Column("listener_name", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("counts", Text, nullable=False, doc="JSON: name -> count"),
    Column("error", Text),
    Column("is_cancel_requested", Boolean, nullable=False),
    Column("worker", String(64)),
    Column("created_at", DateTime, nullable=False),
    Column("started_at", DateTime),
    Column("heartbeat_at", DateTime),
    Column("finished_at", DateTime),
    Column("subject", String(200), doc="what it is about, where not the listener"),
)

# The warehouse's: the transaction that deletes an account asks for the rest.
requests = deletion_requests.to_metadata(metadata)
deleted_listeners.to_metadata(metadata)
# The warehouse's as well: every daily run asks who has named an account elsewhere.
links = linked_accounts.to_metadata(metadata)

serve_state = Table(
    "serve_state",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)


def utcnow() -> datetime:
    """The time now, UTC, without a zone, as the tables store it."""
    return datetime.now(UTC).replace(tzinfo=None)


def open_accounts(settings: ServeSettings) -> Engine:
    """Open the accounts' database and create what is missing."""
    if settings.database_url is None:
        path = settings.data_dir / "accounts.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_private(path)
        engine = _open_sqlite(f"sqlite:///{path}")
    else:
        engine = create_engine(
            settings.database_url,
            pool_size=2,
            max_overflow=4,
            pool_pre_ping=True,
            pool_timeout=5,
            connect_args={
                "connect_timeout": 3,
                "options": "-c statement_timeout=5000 -c timezone=UTC",
            },
        ).execution_options(schema_translate_map={None: _SCHEMA})
    return engine


def ensure_tables(engine: Engine) -> None:
    """Create what is missing of the tables; several processes may do so at once."""
    with writing(engine).begin() as connection:
        _complete(connection)


def create_tables(connection: Connection) -> bool:
    """Do so in PostgreSQL, for `scrobble db init`; whether anything was missing."""
    names = {table.name for table in metadata.sorted_tables}
    before = names & set(inspect(connection).get_table_names(schema=_SCHEMA))
    added = _complete(
        connection.execution_options(schema_translate_map={None: _SCHEMA})
    )
    connection.execution_options(schema_translate_map={})
    return bool(added) or before != names


def _complete(connection: Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(7365627375)"))
        # Even `if not exists` needs the right to make schemas.
        is_there = connection.execute(
            text("select 1 from pg_namespace where nspname = :name"), {"name": _SCHEMA}
        ).first()
        if is_there is None:
            connection.execute(text(f"create schema {_SCHEMA}"))
    return add_missing(connection, metadata)


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 15})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        configure_sqlite(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Readers must not queue behind a writer; a writer asks for `write`.
        is_writing = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("begin immediate" if is_writing else "begin")

    return engine


def writing(engine: Engine) -> Engine:
    """The same engine whose transactions take SQLite's write lock at their start."""
    return engine.execution_options(write=True)
