"""The database of the read service's accounts, as the warehouse sees it.

Owns where that is: a schema of the warehouse's database, or a file in the data folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, inspect

from warehouse import ops
from warehouse.settings import Settings

_SCHEMA = "exchange"


@contextmanager
def beside_accounts(
    settings: Settings, engine: Engine, table: str
) -> Iterator[Engine | None]:
    """An engine on the accounts' database; None where it has no such table yet.

    Args:
        engine: on the journal, which on PostgreSQL is the same database.
    """
    if settings.is_postgres:
        shared = engine.execution_options(schema_translate_map={None: _SCHEMA})
        yield shared if _has(shared, table, _SCHEMA) else None
        return
    path = settings.data_dir / "accounts.sqlite"
    if not path.exists():
        yield None
        return
    beside = ops.open_sqlite(path)
    try:
        yield beside if _has(beside, table, None) else None
    finally:
        beside.dispose()


def _has(engine: Engine, table: str, schema: str | None) -> bool:
    with engine.connect() as connection:
        return inspect(connection).has_table(table, schema=schema)
