"""An exchange to play on: both databases, a clock that can be set, invented artists."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.database import Database
from tests.exchange.game import Game
from tests.system import PostgresServer

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("exchange") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("commit")
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        connection.exec_driver_sql("begin")
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A database with the tables and nothing in them, to be copied."""
    url = postgres_server.new_database()
    database = Database(url)
    database.upgrade()
    database.dispose()
    return url.rsplit("/", 1)[1]


@pytest.fixture
def new_sqlite(sqlite_template: Path, tmp_path: Path) -> Callable[[], str]:
    """Makes empty exchanges in files."""

    def make() -> str:
        path = tmp_path / f"exchange-{next(_numbers)}.sqlite"
        shutil.copy(sqlite_template, path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def new_postgres(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes empty exchanges in databases; the last one is dropped when asked again."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    made: list[str] = []

    def make() -> str:
        while made:
            server.drop_database(made.pop())
        name = f"test_exchange_{next(_numbers)}"
        server.run_sql(f"create database {name} template {template}")
        made.append(server.url(name))
        return made[0]

    yield make
    for url in made:
        server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes empty exchanges, of each kind in turn."""
    name = "new_sqlite" if request.param == "sqlite" else "new_postgres"
    made: Callable[[], str] = request.getfixturevalue(name)
    return made


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    """One empty exchange database, of each kind in turn."""
    return new_database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, sync="OFF")
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def game(database: Database) -> Game:
    """An open market with five artists and nobody in it yet."""
    return Game(database).opened()
