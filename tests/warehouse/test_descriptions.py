"""Every mart and column has its description in the database, on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

from tests.warehouse.small_marts import (
    begin_run,
    fill,
    make_settings,
    small_marts,
    version_of,
)
from warehouse import ops, store
from warehouse.descriptions import comment_statements
from warehouse.marts import Mart
from warehouse.postgres_store import PostgresStore
from warehouse.settings import Settings

Comments = dict[tuple[str, str], str]


def duckdb_comments(connection: duckdb.DuckDBPyConnection) -> Comments:
    """The comments of schema marts, by mart and column ('' for the mart)."""
    found = connection.execute(
        "select table_name, '', comment from duckdb_tables()"
        " where schema_name = 'marts' union all"
        " select view_name, '', comment from duckdb_views()"
        " where schema_name = 'marts' union all"
        " select table_name, column_name, comment from duckdb_columns()"
        " where schema_name = 'marts'"
    ).fetchall()
    return {(mart, column): comment for mart, column, comment in found}


def postgres_comments(connection: Connection) -> Comments:
    """The same of the views of PostgreSQL's schema marts."""
    found = connection.execute(
        text(
            "select relname, '', obj_description(oid, 'pg_class') from pg_class"
            " where relnamespace = 'marts'::regnamespace and relkind = 'v' union all"
            " select relname, attname, col_description(attrelid, attnum) from pg_class"
            " inner join pg_attribute on attrelid = pg_class.oid and attnum > 0"
            "   and not attisdropped"
            " where relnamespace = 'marts'::regnamespace and relkind = 'v'"
        )
    )
    return {(mart, column): comment for mart, column, comment in found}


def test_a_published_file_describes_every_mart_and_column(
    second_day: Path, marts: dict[str, Mart]
) -> None:
    (newest,) = sorted((second_day / "versions").glob("*.duckdb"))[-1:]
    with duckdb.connect(str(newest), read_only=True) as connection:
        comments = duckdb_comments(connection)
    wanted = {
        (mart.name, column): description
        for mart in marts.values()
        for column, description in mart.texts.items()
    }
    assert len(wanted) > 350 and all(wanted.values())
    assert comments == wanted


def test_only_a_text_that_changed_is_written() -> None:
    wanted = {"m": {"": "One row.", "a": "It's 100 %.", "b": ""}}
    there: dict[tuple[str, str], str | None] = {("m", ""): "One row.", ("m", "b"): "x"}
    kinds = {"m": "view", "other": "table"}
    assert list(comment_statements("marts", kinds, wanted, there)) == [
        """comment on column marts."m"."a" is 'It''s 100 %.'""",
        """comment on column marts."m"."b" is null""",
    ]
    there |= {("m", "a"): "It's 100 %.", ("m", "b"): None}
    assert list(comment_statements("marts", kinds, wanted, there)) == []


def described(word: str) -> dict[str, Mart]:
    """The small marts, with descriptions that hold this word."""
    marts = small_marts()
    totals = replace(
        marts["totals"],
        description=f"One row; {word}: it's 100 % %(of) it.",
        columns={"period": f"The {word} period.", "scrobbles": f"{word} plays"},
        key=("period",),
        dimensions={"period": {"dim_periods": "true"}},
    )
    return {**marts, "totals": totals}


def expected(word: str) -> Comments:
    totals = described(word)["totals"]
    texts = {
        "": f"{totals.description} Key: period.",
        "period": f"The {word} period. Stands in dim_periods.",
        "scrobbles": f"{word} plays",
    }
    return {("totals", column): text_ for column, text_ in texts.items()}


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> Settings:
    return make_settings(postgres_url, tmp_path / "data", keep_versions=3)


@pytest.fixture
def reader(settings: Settings) -> Iterator[Engine]:
    engine = create_engine(str(settings.warehouse_url))
    yield engine
    engine.dispose()


def publish(settings: Settings, word: str, *statements: str) -> list[str]:
    """Publish the same rows, described anew; returns the comments that were written."""
    engine = ops.open_ops(settings)
    run = begin_run(settings, engine, word)
    run.marts = described(word)
    warehouse = PostgresStore(settings, engine)
    said: list[str] = []

    def note(*arguments: object) -> None:
        said.append(str(arguments[2]))

    with create_engine(str(run.target.url)).begin() as connection:
        fill(connection, "marts_build", 0)
        for statement in statements:
            connection.execute(text(statement))
    event.listen(warehouse._engine(run), "before_cursor_execute", note)
    try:
        warehouse.publish(run, version_of(run, warehouse.seal(run)))
    finally:
        warehouse.discard(run)
        run.lease.release()
        engine.dispose()
    return [sql for sql in said if sql.startswith("comment on")]


def seen(reader: Engine) -> Comments:
    with reader.connect() as connection:
        comments = postgres_comments(connection)
    return {key: text_ for key, text_ in comments.items() if key[0] == "totals"}


@pytest.mark.postgres
def test_views_are_described_anew_without_new_rows_and_a_rollback_brings_texts_back(
    settings: Settings, reader: Engine
) -> None:
    assert len(publish(settings, "first")) == 1, "one batch"
    assert seen(reader) == expected("first")
    assert publish(settings, "first") == [], "the texts have not changed"
    publish(settings, "second")
    assert seen(reader) == expected("second")
    # A view with other columns is dropped and made anew.
    other = "alter table marts_build.totals alter scrobbles type text"
    publish(settings, "third", other)
    assert seen(reader) == expected("third")
    engine = ops.open_ops(settings)
    store.roll_back(PostgresStore(settings, engine), engine, None)
    engine.dispose()
    assert seen(reader) == expected("second")


@pytest.mark.postgres
def test_a_version_noted_before_layouts_had_descriptions_can_be_rolled_back_to(
    settings: Settings, reader: Engine
) -> None:
    publish(settings, "first")
    publish(settings, "second")
    with reader.begin() as connection:
        connection.execute(
            text(
                "update marts_store._layouts set columns ="
                """ '[["period", "text", "period"], ["scrobbles", "bigint","""
                """ "scrobbles"]]' where fence = 1 and mart = 'totals'"""
            )
        )
    engine = ops.open_ops(settings)
    store.roll_back(PostgresStore(settings, engine), engine, None)
    engine.dispose()
    assert set(seen(reader).values()) == {None}
    with reader.connect() as connection:
        rows = connection.execute(text("select scrobbles from marts.totals"))
        assert rows.scalars().all() == [1000]
