"""Folders of an earlier release keep working: what their tables lack is added."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    inspect,
    text,
)

from ingest import landing
from ingest.lastfm import queue
from ingest.load import dead_letters
from serve.accounts import database as accounts
from serve.settings import ServeSettings
from warehouse import ops
from warehouse.settings import Settings
from warehouse.tables import add_missing

# The columns of the first release. What is not here was added, to tables with rows.
FIRST = {
    "lease": "name fence run_id host alive_path expires_at",
    "runs": "run_id fence command as_of_date state step host pid started_at"
    " finished_at version error",
    "run_steps": "run_id step state started_at finished_at detail",
    "versions": "version fence run_id as_of_date published_at built_through"
    " project_hash bytes row_counts dropped_at",
    "published": "name version fence as_of_date published_at",
    "fetch_days": "as_of_date mode walk_to phase finished_at",
    "fetch_calls": "call_id as_of_date seq method params context entity state"
    " attempts error_code error part walk_id total",
    "fetch_listeners": "listener_id listener_name watermark_uts is_history_complete"
    " counted_uts counted_scrobbles is_private private_since last_walk_id"
    " full_walk_date",
    "fetch_panel": "listener_id listener_name added_at",
    "fetch_artists": "artist_key artist_name tracked_since",
    "fetch_known": "method params as_of_date",
    "fetch_limits": "name next_slot blocked_until slowed_at factor",
    "landing_parts": "part run_id as_of_date bytes answers is_complete created_at"
    " removed_at",
    "dead_letter_wishes": "dead_letter_id decision reason asked_at outcome",
    "accounts": "account_id listener_id listener_name is_public created_at"
    " last_login_at",
    "account_sessions": "session_hash account_id created_at expires_at",
    "account_tokens": "token_id account_id token_hash prefix name scopes created_at"
    " expires_at last_used_at revoked_at",
    "account_logins": "state_hash created_at used_at",
    "jobs": "job_id account_id kind listener_name state attempts done total counts"
    " error is_cancel_requested worker created_at started_at heartbeat_at finished_at",
    "serve_state": "name value",
}
EVERY = {
    table.name: table
    for module in (ops, queue, landing, dead_letters, accounts)
    for table in module.metadata.sorted_tables
}


def columns_of(path: Path) -> dict[str, set[str]]:
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    there = {
        name: {column["name"] for column in found.get_columns(name)}
        for name in found.get_table_names()
    }
    engine.dispose()
    return there


def test_what_was_added_since_can_be_added_to_a_table_with_rows() -> None:
    added = [
        column
        for name, table in EVERY.items()
        if name in FIRST
        for column in table.columns
        if column.name not in FIRST[name].split()
    ]
    assert "registered_uts" in {column.name for column in added}
    for column in added:
        assert column.nullable or column.server_default is not None, column
        assert not column.foreign_keys and not column.primary_key, column
    # Nothing of the first release went: its folders would be read otherwise.
    for name, columns in FIRST.items():
        assert set(columns.split()) <= set(EVERY[name].columns.keys()), name


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    """Journal and accounts as the first release made them, with a row each."""
    for module, file in ((ops, "ops.sqlite"), (accounts, "accounts.sqlite")):
        old = MetaData()
        tables = {ops: (ops, queue, landing, dead_letters), accounts: (accounts,)}
        for source in tables[module]:
            for table in source.metadata.sorted_tables:
                if table.name not in FIRST or table.name in old.tables:
                    continue
                Table(
                    table.name,
                    old,
                    *(
                        Column(
                            one.name,
                            one.type,
                            primary_key=one.primary_key,
                            nullable=one.nullable,
                        )
                        for one in table.columns
                        if one.name in FIRST[table.name].split()
                    ),
                )
        engine = create_engine(f"sqlite:///{tmp_path / file}")
        old.create_all(engine)
        engine.dispose()
    with closing(sqlite3.connect(tmp_path / "accounts.sqlite")) as file_:
        file_.execute(
            "insert into accounts values (7, 'ann', 'Ann', 1, '2026-01-01 00:00:00',"
            " '2026-01-02 00:00:00')"
        )
        file_.commit()
    with closing(sqlite3.connect(tmp_path / "ops.sqlite")) as file_:
        file_.execute("insert into lease (name, fence) values ('warehouse', 41)")
        file_.commit()
    return tmp_path


def test_a_folder_of_the_first_release_is_brought_to_this_one(old_folder: Path) -> None:
    settings = Settings(data_dir=old_folder)
    before = columns_of(old_folder / "accounts.sqlite")
    assert "registered_uts" not in before["accounts"]
    engine = ops.open_ops(settings)
    for module in (queue, landing, dead_letters):
        ops.ensure_tables(engine, module.metadata)
    with engine.begin() as connection:
        fence = connection.execute(text("select fence from lease")).scalar_one()
    engine.dispose()
    opened = accounts.open_accounts(ServeSettings(warehouse=settings))
    accounts.ensure_tables(opened)
    with opened.begin() as connection:
        row = connection.execute(accounts.accounts.select()).one()
    opened.dispose()
    assert fence == 41
    assert (row.account_id, row.listener_name, row.registered_uts) == (7, "Ann", None)
    for file in ("ops.sqlite", "accounts.sqlite"):
        for name, columns in columns_of(old_folder / file).items():
            assert columns == set(EVERY[name].columns.keys()), name


def test_creating_alone_would_leave_the_columns_out(old_folder: Path) -> None:
    """The control: what was done before."""
    engine = create_engine(f"sqlite:///{old_folder / 'accounts.sqlite'}")
    accounts.metadata.create_all(engine)
    engine.dispose()
    there = columns_of(old_folder / "accounts.sqlite")
    assert "registered_uts" not in there["accounts"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = create_engine(url)
    if request.param == "postgres":
        with made.begin() as connection:
            connection.execute(text("create schema ops"))
        made = made.execution_options(schema_translate_map={None: "ops"})
    yield made
    made.dispose()


def test_tables_columns_and_indexes_are_added_once_on_both_engines(
    engine: Engine,
) -> None:
    before, after = MetaData(), MetaData()
    Table("kept", before, Column("name", String(9), primary_key=True))
    more = Table(
        "kept",
        after,
        Column("name", String(9), primary_key=True),
        Column("number", Integer),
        Column("rank", Integer, server_default="3", nullable=False),
    )
    Index("ix_kept_number", more.c.number)
    Table("new", after, Column("name", String(9), primary_key=True))
    with engine.begin() as connection:
        assert add_missing(connection, before) == []
        kept = before.tables["kept"]
        connection.execute(kept.insert(), {"name": "a"})
    with engine.begin() as connection:
        added = add_missing(connection, after)
        assert added == ["kept.number", "kept.rank", "ix_kept_number"]
        assert connection.execute(more.select()).all() == [("a", None, 3)]
    with engine.begin() as connection:
        assert add_missing(connection, after) == []
