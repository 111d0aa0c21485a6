"""The tables the migrations make are those the program was written for."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from exchange.database import Database, alembic_config
from exchange.schema import SCHEMA, metadata


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
