"""The whole daily run on PostgreSQL: done once, killed, and gone on with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from local_lastfm import LocalLastfm
from tests.daily_runs import COMPARED, Daily, make_daily
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


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm(world="demo", today=TODAY) as server:
        yield server


@pytest.fixture
def database(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    yield engine
    engine.dispose()


def new_daily(lastfm: LocalLastfm, folder: Path, url: str) -> Daily:
    daily = make_daily(folder, lastfm.as_of_url, lastfm.world.listeners[:3])
    return replace(daily, environment={**daily.environment, "WAREHOUSE_URL": url})


def fingerprint(database: Engine) -> dict[str, Any]:
    """Rows and a hash of the compared marts."""
    with database.connect() as connection:
        return {
            mart: tuple(
                connection.execute(
                    text(
                        "select count(*),"
                        f" sum(cast(hash_record_extended(row({columns}), 0)"
                        f" as numeric)) from marts.{mart}"
                    )
                ).one()
            )
            for mart, columns in COMPARED.items()
        }


def step_of(database: Engine) -> str | None:
    """The step that the newest run is in."""
    with database.connect() as connection:
        if connection.execute(text("select to_regclass('ops.runs')")).scalar() is None:
            return None
        return connection.execute(
            text(
                "select case when state = 'running' then step else state end"
                " from ops.runs order by fence desc limit 1"
            )
        ).scalar()


def wait_for(database: Engine, step: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if step_of(database) == step:
            return
        time.sleep(0.02)
    process.kill()
    said, _ = process.communicate(timeout=30)
    raise AssertionError(f"the run did not come to step {step}: {said}")


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
        database = create_engine(url)
        daily = new_daily(lastfm, tmp_path / "data", url)
        try:
            daily.run("daily", "--as-of", str(TODAY))
            before = fingerprint(database)
            ballast = disk / "ballast"
            with ballast.open("wb") as file:
                file.write(b"\0" * (shutil.disk_usage(disk).free - 2**20))
            said = daily.run("daily", "--as-of", str(TODAY), "--force", expect=74)
            assert "the disk is full" in said and "Traceback" not in said
            assert fingerprint(database) == before
            ballast.unlink()
            daily.run("daily", "--as-of", str(TODAY), "--force")
            assert fingerprint(database) == before
        finally:
            database.dispose()
            postgres_server.drop_database(url)
            postgres_server.run_sql("drop tablespace small")


Kill = Callable[[Engine, subprocess.Popen[str]], None]


def kill_client(database: Engine, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


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
    kill: Kill = kill_client,
) -> None:
    daily = new_daily(lastfm, folder, url)
    survived = 0
    for step in steps:
        process = daily.start("daily", "--as-of", str(TODAY), "--force")
        wait_for(database, step, process)
        kill(database, process)
        survived += process.returncode == 0
        with database.connect() as connection:
            shown = connection.execute(
                text("select count(*) from ops.published")
            ).scalar_one()
        assert shown == min(survived, 1), f"killed in {step}, it has published"
    assert survived < len(steps) / 2
    said = daily.run("daily", "--as-of", str(TODAY), "--force")
    assert "mended:" in said or survived
    assert f"Published {TODAY}" in said


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
    kill_and_go_on(lastfm, database, daily_url, tmp_path / "data", ["build"])
    again = new_daily(lastfm, tmp_path / "data", daily_url).run(
        "daily", "--as-of", str(TODAY)
    )
    assert "already done" in again
    found = fingerprint(database)
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
    kill: Kill,
) -> None:
    new_daily(lastfm, tmp_path / "whole", postgres_url).run(
        "daily", "--as-of", str(TODAY)
    )
    whole = fingerprint(database)
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
    kill_and_go_on(lastfm, database, postgres_url, killed, list(STEPS), kill)
    assert fingerprint(database) == whole


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
