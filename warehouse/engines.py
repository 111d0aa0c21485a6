"""Which warehouse engine the settings choose."""

from __future__ import annotations

from sqlalchemy import Engine

from warehouse.settings import Settings
from warehouse.store import Store


def open_store(settings: Settings, engine: Engine) -> Store:
    """The engine that the settings choose; only its own modules are imported."""
    if settings.is_postgres:
        from warehouse.postgres_store import PostgresStore

        return PostgresStore(settings, engine)
    from warehouse.duckdb_store import DuckDBStore

    return DuckDBStore(settings, engine)
