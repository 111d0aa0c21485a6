"""Runs on PostgreSQL that die, freeze or lose their connections at every step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.warehouse.publishing_child import STEPS
from tests.warehouse.small_marts import (
    answers,
    begin_run,
    make_settings,
    publish_day,
    read_all,
)
from warehouse import fence, mart_store, ops
from warehouse.errors import Busy, LeaseLost
from warehouse.settings import Settings

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> Settings:
    return make_settings(
        postgres_url, tmp_path / "data", lease_seconds=2, keep_versions=2
    )


@contextmanager
def child_at(
    settings: Settings,
    step: str,
    day: int = 1,
    host: str = "here",
    guards: str = "on",
    data_dir: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A run of another process that stands at this step."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.warehouse.publishing_child"),
            *(str(settings.warehouse_url), str(data_dir or settings.data_dir)),
            *(str(day), step, host, guards),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"at {step}\n", (line, process.stderr and process.stderr.read())
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=20)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Let the child go on; its exit code and what it said."""
    try:
        out, err = process.communicate("\n", timeout=60)
    except BrokenPipeError:
        out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def day_shown(settings: Settings) -> int:
    """The day readers see, which must be a whole one."""
    engine = create_engine(str(settings.warehouse_url))
    try:
        with engine.connect() as connection:
            found = read_all(connection)
    finally:
        engine.dispose()
    day = found["dim_artists"][0]
    assert found == answers(day)
    return day


def everything(settings: Settings) -> dict[str, str]:
    """A hash of each table a run writes for readers, and of the pointer."""
    engine = create_engine(str(settings.warehouse_url))
    try:
        with engine.connect() as connection:
            names = [
                f"marts_store.{name}"
                for name in mart_store.mart_names(connection, "marts_store")
            ]
            return {
                name: connection.execute(
                    text(
                        "select md5(coalesce(string_agg(cast(t as text), '|'"
                        f" order by cast(t as text)), '')) from {name} as t"
                    )
                ).scalar_one()
                for name in [*names, "marts_store._layouts", "ops.published"]
            }
    finally:
        engine.dispose()


# Each step's run is the next run of the one killed before it.
def test_a_killed_client_leaves_a_whole_day_and_the_next_run_goes_on(
    settings: Settings,
) -> None:
    publish_day(settings, 0)
    for day, step in enumerate(STEPS, 1):
        with child_at(settings, step, day) as process:
            process.kill()
            process.wait(timeout=10)
            assert day_shown(settings) == (day if step == "published" else 0), step
    publish_day(settings, day + 1)
    assert day_shown(settings) == day + 1


def test_a_killed_backend_leaves_a_whole_day_and_the_next_run_goes_on(
    settings: Settings,
) -> None:
    publish_day(settings, 0)
    shown = 0
    admin = create_engine(str(settings.warehouse_url))
    for day, step in enumerate(STEPS, 1):
        with child_at(settings, step, day) as process:
            with admin.begin() as connection:
                connection.execute(
                    text(
                        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                        " where datname = current_database()"
                        " and pid <> pg_backend_pid()"
                        " and backend_type = 'client backend'"
                    )
                )
            code, said = finish(process)
            shown = day if code == 0 or step == "published" else shown
            assert day_shown(settings) == shown, step
            # In the publishing transaction its connection is all there is.
            if step in ("half-written", "written", "replaced", "checked"):
                assert code != 0, said
    admin.dispose()
    publish_day(settings, day + 1)
    assert day_shown(settings) == day + 1


def test_a_frozen_run_that_wakes_up_changes_nothing(settings: Settings) -> None:
    publish_day(settings, 0)
    for number, step in enumerate(STEPS[:-1]):
        newer = 2 * number + 2
        with child_at(settings, step, newer - 1) as process:
            process.send_signal(signal.SIGSTOP)
            time.sleep(2.2)  # its lease runs out
            publish_day(settings, newer)
            before = everything(settings)
            process.send_signal(signal.SIGCONT)
            code, said = finish(process)
            assert code != 0, (step, said)
            assert everything(settings) == before, step
        assert day_shown(settings) == newer


def test_control_without_guards_a_frozen_run_does_publish_over_the_newer_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_day(settings, 0)
    monkeypatch.setattr(fence, "dismiss", lambda *_: 0)
    with child_at(settings, "sealed", guards="off") as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.2)
        publish_day(settings, 1)  # the same counts: nothing else would stop it
        before = everything(settings)
        process.send_signal(signal.SIGCONT)
        finish(process)
        assert everything(settings) != before


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_run_frozen_within_its_last_transaction_does_not_hold_up_the_next(
    settings: Settings, seconds: float
) -> None:
    publish_day(settings, 0)
    with child_at(settings, "checked") as process:  # it has locked the lease's row
        time.sleep(seconds)  # after one, a renewal of its own waits for that row
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.2)
        started = time.monotonic()
        publish_day(settings, 2)
        assert time.monotonic() - started < 20
        process.send_signal(signal.SIGCONT)
    assert day_shown(settings) == 2


def test_of_two_machines_one_works_and_the_other_is_told_so(
    settings: Settings, tmp_path: Path
) -> None:
    publish_day(settings, 0)
    elsewhere = tmp_path / "other-machine"
    with child_at(settings, "sealed", host="other", data_dir=elsewhere) as process:
        with pytest.raises(Busy, match="run child-other-1 on other holds the lock"):
            publish_day(settings, 2)
        assert finish(process)[0] == 0
    assert day_shown(settings) == 1
    publish_day(settings, 3)
    assert day_shown(settings) == 3


def test_a_machine_that_was_lost_is_replaced_when_its_lease_has_run_out(
    settings: Settings, tmp_path: Path
) -> None:
    publish_day(settings, 0)
    elsewhere = tmp_path / "other-machine"
    with child_at(settings, "written", host="other", data_dir=elsewhere) as process:
        process.kill()
        process.wait(timeout=10)
        with pytest.raises(Busy):  # nobody here can know that it died
            publish_day(settings, 2)
        time.sleep(2.2)
        publish_day(settings, 2)
    assert day_shown(settings) == 2


def test_two_machines_publishing_in_turns_lose_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    other = make_settings(str(settings.warehouse_url), tmp_path / "b", keep_versions=2)
    for day in range(6):
        publish_day(other if day % 2 else settings, day)
        assert day_shown(settings) == day


def test_every_transaction_of_an_older_run_is_refused_or_ended(
    settings: Settings,
) -> None:
    engine = ops.open_ops(settings)
    old = begin_run(settings, engine, "old")
    plain = create_engine(str(settings.warehouse_url))  # bears no name
    with plain.connect() as open_transaction:
        fence.guard(open_transaction, old.lease.fence)
        old.lease.release()
        new = begin_run(settings, engine, "new")
        with pytest.raises(Exception, match=r"terminat|closed"):
            open_transaction.execute(text("select 1"))
        open_transaction.invalidate()
    with (
        plain.connect() as late,
        pytest.raises(LeaseLost, match=r"fence 1 has lost the lock"),
    ):
        fence.guard(late, old.lease.fence)
    with plain.begin() as own:
        fence.guard(own, new.lease.fence)
    new.lease.release()
    plain.dispose()
    engine.dispose()


def test_dbt_guards_its_models_with_the_same_statement() -> None:
    folder = ROOT / "dbt_project" / "macros" / "materializations"
    macro = (folder / "fence_guard.sql").read_text()
    body = macro[macro.index("do $guard$") :]
    body = body[: body.index("$guard$", 10) + len("$guard$")]
    assert body.replace("{{ fence }}", "7").split() == fence.guard_sql(7).split()
    assert "fence_guard()" in (folder / "begin_model.sql").read_text()
    for path in folder.glob("*.sql"):
        text = path.read_text()
        if (at := text.find("call statement('main')")) >= 0:
            # Before anything of the model, what hooks change included.
            begun = text.index("begin_model()")
            assert begun < text.index("pre_hooks, inside_transaction=True") < at, path


@pytest.mark.chaos
@pytest.mark.skipif(
    "SCROBBLE_CHAOS" not in os.environ, reason="minutes of kills; run by make chaos"
)
def test_a_hundred_kills_at_random_moments_leave_whole_days(
    settings: Settings,
) -> None:
    import random

    seed = int(os.environ.get("SCROBBLE_SEED", "7"))
    print(f"seed {seed}")
    chance = random.Random(seed)
    publish_day(settings, 0)
    for day in range(1, 101):
        with child_at(settings, "leased", day=day) as process:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            time.sleep(chance.random() * 1.5)
            process.kill()
            process.wait(timeout=10)
        day_shown(settings)
    publish_day(settings, 200)
    assert day_shown(settings) == 200
