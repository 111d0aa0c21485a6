"""Reading PostgreSQL: one transaction, prepared statements, the limit of time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from serve.store.contract import StoreUnavailable
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
    store = PostgresStore(settings)
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


def test_a_statement_past_its_time_ends_and_the_next_one_works(
    store: PostgresStore,
) -> None:
    with pytest.raises(StoreUnavailable), store.read() as reader:
        reader.query("select pg_sleep(5)")
    assert ask(store)[2] == [(1, 1.5)]
