"""Backup and restore of a PostgreSQL warehouse, and databases tests must not touch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.system import PostgresServer, SystemLacks, empty_database, marked_database
from tests.warehouse.small_marts import (
    answers,
    make_settings,
    publish_day,
    read_all,
)
from warehouse import ops, store
from warehouse.backup import back_up, restore
from warehouse.errors import Damaged, SettingsError
from warehouse.postgres_store import PostgresStore
from warehouse.roles import Login, bring_about, parse_login

pytestmark = pytest.mark.postgres


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Rows and a hash of every table and view outside the system's schemas."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = connection.execute(
            text(
                "select table_schema, table_name from information_schema.tables"
                " where table_schema not in ('pg_catalog', 'information_schema')"
                " order by 1, 2"
            )
        ).all()
        found = {
            f"{schema}.{name}": tuple(
                connection.execute(
                    text(
                        "select count(*), md5(coalesce(string_agg(cast(t as text), '|'"
                        " order by cast(t as text)), ''))"
                        f' from "{schema}"."{name}" as t'
                    )
                ).one()
            )
            for schema, name in names
        }
    engine.dispose()
    return found


def set_up(url: str, logins: list[Login]) -> list[str | None]:
    """Do `scrobble db init`; the passwords of new logins."""
    engine = create_engine(url)
    with engine.begin() as connection:
        changes = bring_about(connection, logins)
    engine.dispose()
    return [change.secret for change in changes if change.secret]


def as_daily(url: str, password: str) -> str:
    """The URL for the login of the daily run."""
    mine = make_url(url).set(username="backed_up_daily", password=password)
    return mine.render_as_string(hide_password=False)


def test_a_restored_backup_has_equal_counts_and_hashes_and_goes_on(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    logins = [parse_login("backed_up_daily=ingest,transform,job")]
    password = str(set_up(postgres_url, logins)[0])
    settings = make_settings(as_daily(postgres_url, password), tmp_path / "data")
    for day in range(3):
        publish_day(settings, day)
    made, _ = back_up(settings, tmp_path / "backups", postgres_url)
    before = contents(postgres_url)
    assert {"marts.totals", "ops.published", "marts_store.totals"} <= set(before)
    other = postgres_server.new_database()
    try:
        set_up(other, logins)
        restored = make_settings(as_daily(other, password), tmp_path / "restored")
        cut = tmp_path / "cut"
        shutil.copytree(made, cut)
        (cut / "database.dump").write_bytes(b"PGDMP")
        with pytest.raises(Damaged, match=r"database\.dump is not as it was written"):
            restore(restored, cut, other)
        restore(restored, made, other)
        set_up(other, logins)
        held = contents(other)
        assert held.pop("ops.lease") != before.pop("ops.lease"), "it is free again"
        assert held == before
        with pytest.raises(SettingsError, match="holds a warehouse"):
            restore(
                make_settings(as_daily(other, password), tmp_path / "more"), made, other
            )
        publish_day(restored, 5)
        engine = ops.open_ops(restored)
        with engine.connect() as connection:
            assert read_all(connection) == answers(5)
        store.roll_back(PostgresStore(restored, engine), engine, None)
        with engine.connect() as connection:
            assert read_all(connection) == answers(2)
        engine.dispose()
        assert contents(other) != before, "the comparison sees a difference"
    finally:
        postgres_server.drop_database(other)


def test_a_database_without_the_test_marker_is_refused_and_left_alone(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = make_url(postgres_url).database
    assert marked_database(postgres_url) == postgres_url
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("create schema precious"))
    postgres_server.run_sql(f"comment on database {name} is 'production'")
    for attempt in (marked_database, empty_database):
        with pytest.raises(SystemLacks, match=f"{name} has no test marker"):
            attempt(postgres_url)
    with engine.connect() as connection:
        found = connection.execute(text("select to_regnamespace('precious')"))
        assert found.scalar_one() is not None
    engine.dispose()


def test_the_marked_database_somebody_gives_is_used_and_emptied(
    postgres_url: str,
) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("create schema leftover"))
    empty_database(postgres_url)
    with engine.connect() as connection:
        found = connection.execute(text("select to_regnamespace('leftover')"))
        assert found.scalar_one() is None
    engine.dispose()
