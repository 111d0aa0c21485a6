"""dlt's PostgreSQL destination without options at the start of a connection.

dlt sets the search path there, which transaction poolers refuse, and names every table
with its schema anyway. Importing this imports dlt.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient


class _SqlClient(Psycopg2SqlClient):
    def open_connection(self) -> Any:
        self._conn = psycopg2.connect(self.credentials.to_native_representation())
        self._reset_connection()
        return self._conn


class _Client(PostgresClient):
    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        plain = self.sql_client
        self.sql_client = _SqlClient(
            plain.dataset_name,
            plain.staging_dataset_name,
            config.credentials,
            capabilities,
        )


class PooledPostgres(postgres):
    """The destination ``postgres`` for a connection through a pooler."""

    @property
    def client_class(self) -> type[PostgresClient]:
        """Makes the connections."""
        return _Client
