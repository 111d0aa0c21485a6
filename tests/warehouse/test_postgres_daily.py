"""The whole daily run on PostgreSQL: done once, killed, and gone on with."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from local_lastfm import LocalLastfm
from tests.daily_runs import PostgresDaily, make_daily
from tests.killed_runs import drawn_kills, end, kill_and_mend
from tests.system import (
    PostgresServer,
    SystemLacks,
    small_disk,
    transaction_pooler,
)
from warehouse.daily import STEPS
from warehouse.roles import bring_about, parse_login

pytestmark = [pytest.mark.postgres, pytest.mark.long]
# A day that is over: what is asked of a day that goes on grows with the clock.
TODAY = datetime.now(UTC).date() - timedelta(days=1)
# Seconds after the start of a step within which a run is killed.
LONGEST_DELAY = {
    "fetch": 2.0,
    "load": 4.0,
    "build": 12.0,
    "check": 1.0,
    "settle": 0.5,
    "publish": 3.0,
}


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm(world="demo", today=TODAY) as server:
        yield server


@pytest.fixture
def database(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    yield engine
    engine.dispose()


def new_daily(lastfm: LocalLastfm, folder: Path, url: str) -> PostgresDaily:
    daily = make_daily(folder, lastfm.as_of_url, lastfm.world.listeners[:3])
    return PostgresDaily(folder, {**daily.environment, "WAREHOUSE_URL": url})


@pytest.mark.chaos
def test_a_full_disk_of_the_database_loses_nothing(
    lastfm: LocalLastfm, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """The database's files are on a small disk, which fills while a day is built."""
    disk = Path(tempfile.mkdtemp(prefix="scrobble-disk-"))
    with small_disk(disk, 2**31) as reason:
        if reason:
            pytest.skip(reason)
        shutil.chown(disk, "postgres", "postgres")
        postgres_server.run_sql(f"create tablespace small location '{disk}'")
        url = postgres_server.new_database("tablespace small")
        daily = new_daily(lastfm, tmp_path / "data", url)
        try:
            daily.run("daily", "--as-of", str(TODAY))
            before = daily.fingerprint()
            ballast = disk / "ballast"
            with ballast.open("wb") as file:
                file.write(b"\0" * (shutil.disk_usage(disk).free - 2**20))
            said = daily.run("daily", "--as-of", str(TODAY), "--force", expect=74)
            assert "the disk is full" in said and "Traceback" not in said
            assert daily.fingerprint() == before
            ballast.unlink()
            daily.run("daily", "--as-of", str(TODAY), "--force")
            assert daily.fingerprint() == before
        finally:
            daily.database.dispose()
            postgres_server.drop_database(url)
            postgres_server.run_sql("drop tablespace small")


Killer = Callable[[Engine, subprocess.Popen[str]], None]


def kill_client(database: Engine, process: subprocess.Popen[str]) -> None:
    end(process)


def kill_backend(database: Engine, process: subprocess.Popen[str]) -> None:
    """Kill a session's process of the server, which then ends all and recovers.

    One that is at work if possible: a run may survive the loss of a session it does not
    need until the server is there again.
    """
    query = text(
        "select pid from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        " and (state = 'active' or :any) limit 1"
    )
    deadline = time.monotonic() + 20
    backend = None
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as asked:
        while backend is None and process.poll() is None:
            is_late = time.monotonic() > deadline
            backend = asked.execute(query, {"any": is_late}).scalar()
            time.sleep(0.005)
    assert backend is not None, "the run ended before it could be disturbed"
    os.kill(backend, signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    database.dispose()
    deadline = time.monotonic() + 60
    while True:
        try:
            database.connect().close()
            break
        except OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    # dbt says by itself that its connection was lost: then the build has failed. A run
    # that needed no session at that moment goes on to its end.
    assert process.returncode in (0, 5, 69), said
    assert "Traceback" not in said


def kill_and_go_on(
    lastfm: LocalLastfm,
    database: Engine,
    url: str,
    folder: Path,
    steps: list[str],
    kill: Killer = kill_client,
) -> PostgresDaily:
    """Kill a first run in each of these steps, then let one run to its end.

    `database` is its owner's connection; the run may have a login of its own.
    """
    daily = new_daily(lastfm, folder, url)
    daily.database = database
    survived = 0
    for step in steps:
        newest = daily.newest_run() or (0, "")
        process = daily.start("daily", "--as-of", str(TODAY), "--force")
        try:
            assert daily.wait_for(step, process, after=newest[0]), step
            kill(database, process)
        finally:
            end(process)
        survived += process.returncode == 0
        has_published = daily.published() is not None
        assert has_published == (survived > 0), f"killed in {step}, it has published"
    assert survived < len(steps) / 2
    said = daily.run("daily", "--as-of", str(TODAY), "--force")
    assert "mended:" in said or survived
    assert f"Published {TODAY}" in said
    return daily


@pytest.fixture
def daily_url(
    database: Engine, postgres_server: PostgresServer, postgres_url: str
) -> Iterator[str]:
    """As a careful operator has it: a login of the three duties, behind a pooler."""
    login = parse_login("pooled_daily=ingest,transform,job")
    with database.begin() as connection:
        changes = bring_about(connection, [login])
    (secret,) = [change.secret for change in changes if change.secret]
    url = make_url(postgres_url).set(username=login.name, password=secret)
    with ExitStack() as stack:
        try:
            pooler = transaction_pooler(postgres_server, {login.name: secret})
            url = url.set(port=stack.enter_context(pooler))
        except SystemLacks as lacks:
            print(f"without a pooler: {lacks}")
        yield url.render_as_string(hide_password=False)
    with database.begin() as connection:
        connection.execute(text(f"drop owned by {login.name} cascade"))
        connection.execute(text(f"drop role {login.name}"))


def test_a_day_runs_on_postgresql_once_and_after_a_kill_goes_on_from_there(
    lastfm: LocalLastfm, database: Engine, daily_url: str, tmp_path: Path
) -> None:
    daily = kill_and_go_on(lastfm, database, daily_url, tmp_path / "data", ["build"])
    assert "already done" in daily.run("daily", "--as-of", str(TODAY))
    assert not list((daily.data_dir / "work").iterdir()), "of the killed run"
    found = daily.fingerprint()
    # A first version has nothing to restate.
    assert {mart for mart, (rows, _) in found.items() if not rows} == {"restatements"}
    with database.connect() as connection:
        left = connection.execute(
            text("select count(*) from pg_locks where locktype = 'advisory'")
        ).scalar_one()
    assert left == 0, "a lock of a session stays behind in the pooler"


@pytest.mark.chaos
@pytest.mark.parametrize("kill", [kill_client, kill_backend])
def test_a_day_killed_at_every_step_equals_one_that_was_not(
    lastfm: LocalLastfm,
    database: Engine,
    postgres_url: str,
    tmp_path: Path,
    kill: Killer,
) -> None:
    undisturbed = new_daily(lastfm, tmp_path / "whole", postgres_url)
    undisturbed.database = database
    undisturbed.run("daily", "--as-of", str(TODAY))
    whole = undisturbed.fingerprint()
    with database.begin() as connection:
        for schema in connection.execute(
            text(
                "select nspname from pg_namespace where nspname in ('raw', 'staging',"
                " 'intermediate', 'marts_build', 'marts_store', 'marts', 'ops',"
                " 'exchange')"
            )
        ).scalars():
            connection.execute(text(f"drop schema {schema} cascade"))
    killed = tmp_path / "killed"
    daily = kill_and_go_on(lastfm, database, postgres_url, killed, list(STEPS), kill)
    assert daily.fingerprint() == whole


@pytest.fixture(scope="module")
def two_days(
    lastfm: LocalLastfm,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[PostgresDaily, PostgresDaily]]:
    """A warehouse that has published yesterday, and its copy a day later."""
    folder = tmp_path_factory.mktemp("two-days")
    yesterday = new_daily(lastfm, folder / "yesterday", postgres_server.new_database())
    yesterday.run("daily", "--as-of", str(TODAY - timedelta(days=1)))
    today = copied(lastfm, postgres_server, yesterday, folder / "today")
    today.run("daily", "--as-of", str(TODAY))
    yield yesterday, today
    for daily in (yesterday, today):
        daily.database.dispose()
        postgres_server.drop_database(daily.environment["WAREHOUSE_URL"])


def copied(
    lastfm: LocalLastfm,
    postgres_server: PostgresServer,
    daily: PostgresDaily,
    folder: Path,
) -> PostgresDaily:
    """The same warehouse in another database and folder."""
    daily.database.dispose()
    url = postgres_server.copy_database(daily.environment["WAREHOUSE_URL"])
    shutil.copytree(daily.data_dir, folder)
    return new_daily(lastfm, folder, url)


@pytest.mark.chaos
@pytest.mark.parametrize("trial", range(20))
def test_a_run_killed_at_any_moment_leaves_the_last_day_and_the_next_run_mends_it(
    lastfm: LocalLastfm,
    two_days: tuple[PostgresDaily, PostgresDaily],
    postgres_server: PostgresServer,
    tmp_path: Path,
    trial: int,
) -> None:
    yesterday, today = two_days
    with ExitStack() as stack:
        numbers = itertools.count()

        def fresh() -> PostgresDaily:
            folder = tmp_path / str(next(numbers))
            daily = copied(lastfm, postgres_server, yesterday, folder)
            url = daily.environment["WAREHOUSE_URL"]
            stack.callback(postgres_server.drop_database, url)
            stack.callback(daily.database.dispose)
            return daily

        kill_and_mend(fresh, today, TODAY, drawn_kills(LONGEST_DELAY, 10))


@pytest.mark.chaos
def test_of_ten_runs_on_two_machines_one_works(
    lastfm: LocalLastfm, database: Engine, postgres_url: str, tmp_path: Path
) -> None:
    machines = [
        new_daily(lastfm, tmp_path / name, postgres_url) for name in ("one", "two")
    ]
    runs = [
        machines[number % 2].start("daily", "--as-of", str(TODAY))
        for number in range(10)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert sum("Published" in text_ for text_ in said) == 1, said
    for run, text_ in zip(runs, said, strict=True):
        if "already done" not in text_ and "Published" not in text_:
            assert run.returncode == 75, text_
            assert "holds the lock" in text_
    with database.connect() as connection:
        days = connection.execute(text("select count(*) from ops.versions")).scalar()
    assert days == 1
