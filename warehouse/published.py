"""Asks the published version, read-only, whichever engine has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from warehouse import ops
from warehouse.duckdb_store import published_path
from warehouse.errors import Damaged, PublishFailed
from warehouse.settings import Settings
from warehouse.version_file import is_damage, reading


def query_published(
    settings: Settings, query: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of one statement on the published version, marts unqualified.

    Raises:
        PublishFailed: nothing is published, or the database refuses the statement.
        DatabaseLost: PostgreSQL cannot be reached.
        Damaged: the published file cannot be read.
    """
    if settings.warehouse_url is None:
        path = published_path(settings.data_dir)
        try:
            with reading(path) as connection:
                connection.execute("set search_path = 'marts'")
                return _ask_file(connection, path, query)
        except Damaged as error:
            raise Damaged(
                f"{error}; `scrobble repair` goes on from the version before it, or"
                " restore it from a backup"
            ) from error
    engine = create_engine(settings.warehouse_url)
    try:
        with engine.connect() as connection_:
            connection_.execute(text("set transaction read only"))
            connection_.execute(text("set local search_path = marts"))
            result = connection_.exec_driver_sql(query)
            return list(result.keys()), [tuple(row) for row in result]
    except SQLAlchemyError as error:
        if ops.is_database_lost(error):
            raise ops.database_lost(error, engine) from error
        raise PublishFailed(str(getattr(error, "orig", error))) from error
    finally:
        engine.dispose()


def _ask_file(
    connection: duckdb.DuckDBPyConnection, path: Path, query: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    try:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return names, cursor.fetchall()
    except duckdb.Error as error:
        if is_damage(path, error):
            raise
        raise PublishFailed(str(error)) from error
