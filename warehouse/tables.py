"""Brings tables that an earlier release made to what this one needs.

Only what can be added without looking at the rows: tables, columns and indexes. So an
added column may be null or has a default of the database, which a test holds; anything
else needs a revision of its own, as the exchange's tables have.
"""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, MetaData, inspect


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
    tables.create_all(connection)
    # After that only tables of before can lack anything; one question for all of them.
    there = inspect(connection)
    columns = there.get_multi_columns(schema=schema)
    indexes = there.get_multi_indexes(schema=schema)
    operations = Operations(MigrationContext.configure(connection))
    added: list[str] = []
    for table in tables.sorted_tables:
        known = {one["name"] for one in columns[schema, table.name]}
        for column in table.columns:
            if column.name not in known:
                fresh = Column[object](
                    column.name,
                    column.type,
                    nullable=column.nullable,
                    server_default=column.server_default,
                )
                operations.add_column(table.name, fresh, schema=schema)
                added.append(f"{table.name}.{column.name}")
        indexed = {one["name"] for one in indexes[schema, table.name]}
        for index in table.indexes:
            if index.name not in indexed:
                index.create(connection)
                added.append(str(index.name))
    return added
