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
from sqlalchemy import URL, make_url

# dlt insists on what libpq finds by itself: a password in its file, a socket, a login.
_NONE = "none-given"


def with_all_parts(url: str) -> str:
    """The URL as dlt takes it: with a word for what it does not name."""
    given = make_url(url).set(drivername="postgresql")
    parts: dict[str, Any] = {
        part: getattr(given, part) or _NONE for part in ("username", "password", "host")
    }
    return given.set(**parts).render_as_string(hide_password=False)


def as_given(url: str) -> str:
    """The URL as :func:`with_all_parts` was given it."""
    parts = make_url(url)._asdict()
    given: dict[str, Any] = {
        name: None if part == _NONE else part for name, part in parts.items()
    }
    return URL.create(**given).render_as_string(hide_password=False)


class _SqlClient(Psycopg2SqlClient):
    def open_connection(self) -> Any:
        url = as_given(self.credentials.to_native_representation())
        self._conn = psycopg2.connect(url)
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
