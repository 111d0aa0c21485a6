"""An exchange to play on: both databases, a clock that can be set, invented artists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.exchange.database import Database
from tests.serve.exchange.world import World


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty exchange database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'exchange.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, sync="OFF")
    database.upgrade()
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def world(database: Database) -> World:
    """An open market with five artists and nobody in it yet."""
    return World(database).opened()
