"""Where the published version is read: one store for each engine, one contract.

Owns connections, the pointer and the version every answer carries. Must not know a
question: those are in ``serve.queries``.
"""

from __future__ import annotations

from serve.settings import ServeSettings
from serve.store.contract import Store


def open_store(settings: ServeSettings) -> Store:
    """Open the store of the configured engine; nothing is read before the first use."""
    if settings.database_url is None:
        from serve.store.embedded import EmbeddedStore

        return EmbeddedStore(settings)
    from serve.store.postgres import PostgresStore

    primary = PostgresStore(settings, settings.database_url)
    if settings.read_url is None:
        return primary
    from serve.store.standby import StandbyStore

    return StandbyStore(primary, PostgresStore(settings, settings.read_url))
