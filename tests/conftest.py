"""Fixtures every test can use: real servers, shared data, settings without a past."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_lastfm import LocalLastfm
from tests.daily_runs import FIRST_DAY, SECOND_DAY, made_once, make_daily, once
from tests.system import (
    PostgresServer,
    SystemLacks,
    empty_database,
    marked_database,
    start_postgres,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first; the order is the same otherwise."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL server for the whole session."""
    try:
        server = start_postgres()
    except SystemLacks as lacks:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(lacks))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database with the test marker, dropped afterwards.

    With TEST_DATABASE_URL it is that database, emptied before and after.
    """
    external = os.environ.get("TEST_DATABASE_URL")
    if external:
        url = marked_database(external)
        # One database for all: tests of other processes wait for their turn.
        with (Path(tempfile.gettempdir()) / "scrobble-database.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            empty_database(url)
            yield url
            empty_database(url)
        return
    postgres_server: PostgresServer = request.getfixturevalue("postgres_server")
    url = postgres_server.new_database()
    try:
        yield url
    finally:
        postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of recorded answers and real listening."""
    path = Path(os.environ.get("SHARED_DIR", "../shared")).resolve()
    if not (path / "lastfm_api" / "MANIFEST.tsv").exists():
        reason = f"no recordings in {path}: set SHARED_DIR to the folder that has them"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def demo() -> Iterator[LocalLastfm]:
    """The demo world's last.fm on the second day."""
    with LocalLastfm(world="demo", today=SECOND_DAY) as server:
        yield server


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the test processes of a session have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def first_day(demo: LocalLastfm, shared_folder: Path) -> Path:
    """A small warehouse that has published the first day; not to be changed."""
    return made_once(shared_folder, demo, FIRST_DAY, None)


@pytest.fixture(scope="session")
def second_day(demo: LocalLastfm, first_day: Path) -> Path:
    """The same a day later, never interrupted; not to be changed."""
    return made_once(first_day.parent, demo, SECOND_DAY, first_day)


@pytest.fixture(scope="session")
def lastfm_1k(shared_dir: Path, shared_folder: Path) -> Path:
    """A warehouse of two people's real listening; not to be changed."""
    (tsv,) = (shared_dir / "datasets" / "lastfm-1k-sample").glob("*.tsv")

    def make(folder: Path) -> None:
        with LocalLastfm(f"lastfm-1k:{tsv}", today=SECOND_DAY) as lastfm:
            daily = make_daily(folder, lastfm.as_of_url, lastfm.world.listeners)
            # Nothing grows in an archive, not even over days that are made up for.
            accept = ("--accept", "identical-day")
            daily.run("daily", "--as-of", str(SECOND_DAY), *accept)

    return once(shared_folder, "lastfm-1k", make)
