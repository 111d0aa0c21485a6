"""The exchange's own fixtures, for the tests of its routes."""

from tests.exchange.conftest import new_sqlite, sqlite_template

__all__ = ["new_sqlite", "sqlite_template"]
