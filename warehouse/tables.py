"""Brings tables that an earlier release made to what this one needs.

Only what can be added without looking at the rows: tables, columns and indexes. So an
added column may be null or has a default of the database, which a test holds; anything
else needs a revision of its own, as the exchange's tables have.
"""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, MetaData, Table, inspect


def add_missing(connection: Connection, tables: MetaData) -> list[str]:
    """Create missing tables, and add missing columns and indexes to those there are.

    Args:
        connection: in a transaction; its map of schemas says where tables without one
            are.

    Returns:
        What was added to tables that were there, as `table.column` or an index's name.
    """
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    schema = schemas.get(None)
    before = set(inspect(connection).get_table_names(schema=schema))
    tables.create_all(connection)
    added: list[str] = []
    for table in tables.sorted_tables:
        if table.name in before:
            added += _complete(connection, table, schema)
    return added


def _complete(connection: Connection, table: Table, schema: str | None) -> list[str]:
    there = inspect(connection)
    columns = {one["name"] for one in there.get_columns(table.name, schema=schema)}
    indexes = {one["name"] for one in there.get_indexes(table.name, schema=schema)}
    added = []
    operations = Operations(MigrationContext.configure(connection))
    for column in table.columns:
        if column.name not in columns:
            operations.add_column(
                table.name,
                Column[object](
                    column.name,
                    column.type,
                    nullable=column.nullable,
                    server_default=column.server_default,
                ),
                schema=schema,
            )
            added.append(f"{table.name}.{column.name}")
    for index in table.indexes:
        if index.name not in indexes:
            index.create(connection)
            added.append(str(index.name))
    return added
