"""Reading PostgreSQL: one transaction, prepared statements, the limit of time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine, create_engine, text

from serve.store import messages
from serve.store.contract import StoreUnavailable, VersionMoved
from serve.store.postgres import PostgresStore
from tests.serve.conftest import make_settings

QUESTION = "select a, n from marts.numbers where a = :a"


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """A database with a version and a mart of one row."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        for statement in (
            "create schema ops",
            "create schema marts",
            "create table ops.published (name text, version text, as_of_date date,"
            " published_at timestamp)",
            "insert into ops.published values"
            " ('current', 'first', '2026-01-01', '2026-01-01 10:00')",
            "create table marts.numbers as select 1 as a, 1.5::numeric as n",
        ):
            connection.execute(text(statement))
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine, postgres_url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    """A store whose statements may take half a second."""
    settings = make_settings(
        tmp_path, statement_seconds=0.5, warehouse={"warehouse_url": postgres_url}
    )
    store = PostgresStore(settings, str(settings.database_url))
    yield store
    store.close()


def ask(store: PostgresStore) -> tuple[str, tuple[str, ...], list[tuple[object, ...]]]:
    with store.read() as reader:
        found = reader.query(QUESTION, {"a": 1})
        return reader.published.version, found.types, list(found.rows)


def test_a_prepared_statement_follows_a_publish_that_changes_its_columns(
    store: PostgresStore, engine: Engine
) -> None:
    before = [ask(store) for _ in range(4)]
    with store.read() as reader:
        prepared = reader.query("select count(*) as n from pg_prepared_statements")
    assert prepared.rows[0][0] > 0, "nothing was prepared, so nothing is tried here"
    with engine.begin() as connection:
        connection.execute(text("alter table marts.numbers alter n type text"))
        connection.execute(text("update ops.published set version = 'second'"))
    after = [ask(store) for _ in range(4)]
    assert set(map(repr, before)) == {repr(before[0])}
    assert before[0][0] == "first" and before[0][2] == [(1, 1.5)]
    assert set(map(repr, after)) == {repr(after[0])}
    assert after[0][0] == "second" and after[0][2] == [(1, "1.5")]


def test_a_question_is_read_in_one_read_only_snapshot(store: PostgresStore) -> None:
    with store.read() as reader:
        isolation = reader.query("show transaction_isolation").rows[0][0]
        read_only = reader.query("show transaction_read_only").rows[0][0]
    assert (isolation, read_only) == ("repeatable read", "on")


def test_a_question_made_for_a_version_that_has_gone_says_so(
    store: PostgresStore, engine: Engine
) -> None:
    store.state()
    with engine.begin() as connection:
        connection.execute(text("update ops.published set version = 'second'"))
    with pytest.raises(VersionMoved), store.read(can_repeat=True) as reader:
        assert reader.published.version == "first"
        reader.query(QUESTION, {"a": 1})
    assert store.state()[0] == "second", "the pointer is read anew"
    with store.read(can_repeat=True) as reader:
        assert reader.query(QUESTION, {"a": 1}).rows == [(1, 1.5)]
        assert reader.published.version == "second"


def test_a_mart_that_has_gone_with_its_version_says_so_too(
    store: PostgresStore, engine: Engine
) -> None:
    store.state()
    with engine.begin() as connection:
        connection.execute(text("alter table marts.numbers drop column n"))
        connection.execute(text("update ops.published set version = 'second'"))
    with pytest.raises(VersionMoved), store.read(can_repeat=True) as reader:
        reader.query(QUESTION, {"a": 1})
    with pytest.raises(StoreUnavailable, match="lack") as raised, store.read() as asked:
        asked.query(QUESTION, {"a": 1})
    assert raised.value.code == "mart_missing"
    with store.read() as reader:
        assert reader.query("select a from marts.numbers").rows == [(1,)]


def test_a_failed_question_leaves_its_transaction_to_nobody(
    store: PostgresStore,
) -> None:
    with pytest.raises(errors.DivisionByZero), store.read() as reader:
        reader.query("select 1 / (:a - 1) as x", {"a": 1})
    with store.read() as reader:
        assert reader.query("select 1 / (:a - 1) as x", {"a": 2}).rows == [(1,)]
    assert ask(store)[2] == [(1, 1.5)]


def test_more_texts_than_are_prepared_are_answered(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_MOST_PREPARED", 5)
    with store.read() as reader:
        for _ in range(2):
            for number in range(10):
                found = reader.query(f"select {number} + :a as x", {"a": 1})
                assert found.rows == [(number + 1,)]
        prepared = reader.query("select count(*) as n from pg_prepared_statements")
    assert prepared.rows == [(5,)]


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    engine: Engine, postgres_url: str
) -> None:
    address = postgres_url.replace("+psycopg2", "")
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        session = messages.Session(connection, 0.2, True)
        with pytest.raises(errors.OperationalError, match=r"nothing for 0\.2 s"):
            session.ask(("select pg_sleep(2)", ()))


def test_a_statement_past_its_time_ends_and_the_next_one_works(
    store: PostgresStore,
) -> None:
    with pytest.raises(StoreUnavailable), store.read() as reader:
        reader.query("select pg_sleep(5)")
    assert ask(store)[2] == [(1, 1.5)]


def test_a_statement_cut_by_times_is_planned_for_them(
    store: PostgresStore, engine: Engine
) -> None:
    """A prepared one is planned for any values from its sixth use on."""
    prepared = "select statement from pg_prepared_statements where statement like :like"
    with store.read() as reader:
        for n in range(8):
            reader.query(
                "select :at > localtimestamp as about_times",
                {"at": datetime(2026, 1, 1 + n)},
            )
            reader.query(
                "select :day > current_date as about_days",
                {"day": date(2026, 1, 1 + n)},
            )
        found = reader.query(prepared, {"like": "%about_times%"})
        control = reader.query(prepared, {"like": "%about_days%"})
    assert (len(found.rows), len(control.rows)) == (0, 1)


def test_sessions_have_room_to_group_a_library(store: PostgresStore) -> None:
    with store.read() as reader:
        found = reader.query(
            "select current_setting('work_mem') as memory,"
            " current_setting('jit') as compiling"
        )
    assert found.rows == [("32MB", "off")]
