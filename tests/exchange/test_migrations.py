"""The tables the migrations make are those the program was written for."""

from __future__ import annotations

import re

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from exchange.database import Database, alembic_config
from exchange.schema import SCHEMA, metadata, players


def test_migrations_make_exactly_the_tables_of_the_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": not database.is_sqlite,
                "version_table_schema": None if database.is_sqlite else SCHEMA,
                "include_name": lambda name, kind, _: (
                    kind != "schema" or name == SCHEMA
                ),
            },
        )
        if database.is_sqlite:
            there = set(inspect(connection).get_table_names())
            assert {table.name for table in metadata.tables.values()} < there
            for table in metadata.tables.values():
                found = {c["name"] for c in inspect(connection).get_columns(table.name)}
                assert found == set(table.c.keys()), table.name
        else:
            assert compare_metadata(context, metadata) == []
    assert database.is_current()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.upgrade()
    assert database.is_current()


def test_migrations_can_be_taken_back_and_made_again(database: Database) -> None:
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert not database.is_current()
    database.upgrade()
    assert database.is_current()


def test_players_of_before_get_neutral_names_and_may_choose(
    database: Database,
) -> None:
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "0002")
    last_fm = ["anna", "player-1000", "bert"]
    schema = "" if database.is_sqlite else f"{SCHEMA}."
    with database.write() as connection:
        for name in last_fm:
            connection.execute(
                text(
                    f"insert into {schema}players (player_id, account_id, player_name,"
                    " listener_id, joined_at)"
                    " values (:id, :id, :name, :name, '2024-03-01')"
                ),
                {"id": f"id of {name}", "name": name},
            )
        connection.execute(
            text(
                f"insert into {schema}players (player_id, joined_at, left_at)"
                " values ('gone', '2024-03-01', '2024-03-02')"
            )
        )
    database.upgrade()
    with database.read() as connection:
        rows = connection.execute(select(players)).all()
    there = [row for row in rows if row.player_id != "gone"]
    names = {row.player_name for row in there}
    assert len(names) == 3 and names.isdisjoint({"anna", "bert"})
    assert all(re.fullmatch(r"player-\d+", name) for name in names)
    assert {row.name_key for row in there} == names
    assert {row.named_at for row in rows} == {None}
    assert [row.player_name for row in rows if row.player_id == "gone"] == [None]
