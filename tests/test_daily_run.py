"""The daily run as a whole: once, twice, killed, raced, frozen, and out of disk."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from local_lastfm import Fault, LocalLastfm
from tests.daily_runs import FIRST_DAY, SECOND_DAY, Daily, copy_of
from tests.killed_runs import Kill, drawn_kills, end, kill_and_mend
from tests.system import small_disk

pytestmark = pytest.mark.long
TODAY = SECOND_DAY
# Seconds after the start of a step within which a run is killed: about as long as the
# step takes, so that a kill may also come in the step after it.
LONGEST_DELAY = {
    "fetch": 2.0,
    "load": 4.0,
    "build": 6.0,
    "check": 0.3,
    "settle": 0.3,
    "publish": 0.1,
}


@pytest.fixture(scope="module")
def yesterday(
    demo: LocalLastfm, first_day: Path, tmp_path_factory: pytest.TempPathFactory
) -> Daily:
    """A warehouse that has published yesterday."""
    return copy_of(demo, first_day, tmp_path_factory.mktemp("yesterday") / "data")


@pytest.fixture(scope="module")
def today(
    demo: LocalLastfm, second_day: Path, tmp_path_factory: pytest.TempPathFactory
) -> Daily:
    """The same warehouse a day later, never interrupted: what the others must equal."""
    return copy_of(demo, second_day, tmp_path_factory.mktemp("today") / "data")


def test_a_first_run_publishes_and_says_what_it_did(
    yesterday: Daily,
) -> None:
    said = (yesterday.data_dir / "said.txt").read_text()
    for word in ("requests", "bytes", "rows loaded", "dead letters", "tests passed"):
        assert word in said
    pointer = yesterday.published()
    assert pointer is not None
    assert pointer["as_of"] == str(FIRST_DAY)
    assert pointer["version"] in said
    rows = {mart: count for mart, (count, _) in yesterday.fingerprint().items()}
    assert rows.pop("restatements") == 0, "nothing was published before"
    assert min(rows.values()) > 0, rows


def test_backfilled_days_have_snapshots(yesterday: Daily) -> None:
    with yesterday.open_published() as connection:
        days = connection.execute(
            "select distinct snapshot_date from marts.fct_artist_snapshots order by 1"
        ).fetchall()
    assert [day for (day,) in days] == [
        FIRST_DAY - timedelta(days=n) for n in (2, 1, 0)
    ]


def test_a_second_run_on_the_same_day_says_already_done(
    yesterday: Daily,
) -> None:
    before = yesterday.published()
    said = yesterday.run("daily", "--as-of", str(FIRST_DAY))
    assert "already done" in said
    assert yesterday.published() == before


def test_what_a_run_killed_before_the_open_left_is_mended_before_already_done(
    demo: LocalLastfm, today: Daily, tmp_path: Path
) -> None:
    """As after a kill -9 between the publishing and the opening of the market."""
    daily = copy_of(demo, today.data_dir, tmp_path / "data")
    market = "update market set state = 'closed', fence = 2, version = 'old'"
    with closing(sqlite3.connect(daily.data_dir / "exchange.sqlite")) as exchange:
        exchange.execute(market)
        exchange.commit()
    with closing(sqlite3.connect(daily.data_dir / "ops.sqlite")) as journal:
        journal.execute("update runs set state = 'running' where fence = 2")
        journal.commit()
    said = daily.run("daily", "--as-of", str(TODAY))
    assert "died after it had published" in said
    assert "mend:     the market was left closed by a run that died" in said
    assert "already done" in said
    assert daily.step() == "done"
    with closing(sqlite3.connect(daily.data_dir / "exchange.sqlite")) as exchange:
        ((state, version),) = exchange.execute("select state, version from market")
    pointer = daily.published()
    assert pointer is not None
    assert (state, version) == ("open", pointer["version"])
    said = daily.run("daily", "--as-of", str(TODAY))
    assert said.startswith("already done")


def test_a_lost_journal_loses_no_version_and_days_are_built_from_nothing_alike(
    demo: LocalLastfm, today: Daily, tmp_path: Path
) -> None:
    daily = copy_of(demo, today.data_dir, tmp_path / "data")
    files = sorted(path.name for path in (daily.data_dir / "versions").iterdir())
    for path in daily.data_dir.glob("ops.sqlite*"):
        path.unlink()
    said = daily.run("daily", "--as-of", str(TODAY))
    assert "mended:   the journal lacked 2 versions" in said
    assert "already done" in said
    assert daily.fingerprint() == today.fingerprint()
    # Lost again, and the newest version with it; its day has landed. Days built from
    # nothing, of the same landing files, equal those built one after the other.
    pointer = daily.published()
    assert pointer is not None
    for path in (*daily.data_dir.glob("ops.sqlite*"), daily.data_dir / pointer["file"]):
        path.unlink()
    daily.run("publish", "--as-of", str(TODAY), "--full-refresh")
    assert daily.fingerprint() == today.fingerprint()
    assert files[0] in [path.name for path in (daily.data_dir / "versions").iterdir()]
    assert not (daily.data_dir / "aside").exists()


def test_what_cannot_be_fetched_touches_neither_market_nor_journal(
    demo: LocalLastfm, today: Daily, tmp_path: Path
) -> None:
    daily = copy_of(demo, today.data_dir, tmp_path / "data")

    def state() -> tuple[object, ...]:
        with closing(sqlite3.connect(daily.data_dir / "exchange.sqlite")) as exchange:
            ((market, fence),) = exchange.execute("select state, fence from market")
        return market, fence, daily.newest_run()

    before = state()
    assert before[0] == "open"
    daily.environment["LASTFM_URL"] = "http://127.0.0.1:9/2.0/"
    said = daily.run("daily", "--force", expect=3)
    assert "127.0.0.1 cannot be reached" in said
    assert "the market stays as it is" in said
    past = str(TODAY - timedelta(days=1))
    said = daily.run("daily", "--force", "--as-of", past, expect=2)
    assert "answers as of now" in said
    assert state() == before


def test_a_lost_exchange_refuses_the_run_and_names_the_restore(
    demo: LocalLastfm, today: Daily, tmp_path: Path
) -> None:
    daily = copy_of(demo, today.data_dir, tmp_path / "data")
    for path in daily.data_dir.glob("exchange.sqlite*"):
        path.unlink()
    said = daily.run("daily", "--as-of", str(TODAY), "--force", expect=65)
    assert "restore it from a backup" in said
    assert "Traceback" not in said


def test_missed_days_are_caught_up_in_order(
    first_day: Path, today: Daily, tmp_path: Path
) -> None:
    """Two days at once end like one day after the other."""
    last = TODAY + timedelta(days=1)
    with LocalLastfm(world="demo", today=last) as lastfm:
        daily = copy_of(lastfm, first_day, tmp_path / "data")
        daily.run("daily", "--as-of", str(last))
    with daily.open_published() as late, today.open_published() as steady:
        sql = "select distinct snapshot_date from marts.fct_artist_snapshots order by 1"
        assert late.execute(sql).fetchall() == [
            *steady.execute(sql).fetchall(),
            (last,),
        ]


@pytest.mark.parametrize("count", [3, pytest.param(6, marks=pytest.mark.chaos)])
def test_a_run_killed_at_every_step_leaves_the_last_day_and_the_next_run_mends_it(
    demo: LocalLastfm, yesterday: Daily, today: Daily, tmp_path: Path, count: int
) -> None:
    """Kills in a row: each step once, or some of them, at a random moment inside it."""
    kills = drawn_kills(LONGEST_DELAY, count, is_each_once=True)
    kill_at(kills, demo, yesterday, today, tmp_path)


@pytest.mark.chaos
@pytest.mark.parametrize("trial", range(20))
def test_a_run_killed_at_any_moment_leaves_the_last_day_and_the_next_run_mends_it(
    demo: LocalLastfm,
    yesterday: Daily,
    today: Daily,
    tmp_path: Path,
    trial: int,
) -> None:
    kills = drawn_kills(LONGEST_DELAY, 10)
    kill_at(kills, demo, yesterday, today, tmp_path)


def kill_at(
    kills: list[Kill],
    demo: LocalLastfm,
    yesterday: Daily,
    today: Daily,
    folder: Path,
) -> None:
    numbers = itertools.count()

    def fresh() -> Daily:
        return copy_of(demo, yesterday.data_dir, folder / str(next(numbers)) / "data")

    kill_and_mend(fresh, today, TODAY, kills)


def server_goes_down(demo: LocalLastfm, daily: Daily) -> None:
    """A run whose server does ends before anything is built."""
    before = daily.published()
    asked = len(demo.requests)
    demo.set_faults([Fault("html", status=502, after=10)])
    daily.environment["LASTFM_WAIT_SECONDS"] = "1"
    try:
        said = daily.run("daily", "--as-of", str(TODAY), expect=3)
    finally:
        demo.clear_faults()
        del daily.environment["LASTFM_WAIT_SECONDS"]
    assert len(demo.requests) - asked < 150
    assert "does not answer as it should (status 502" in said
    assert "what was answered is landed" in said
    assert "load:" not in said and "build:" not in said
    assert daily.published() == before
    assert "takes orders only" in said


def stopped_at_once(daily: Daily) -> None:
    """A run that is told to stop does, and says what the next one will do."""
    newest = daily.newest_run()
    process = daily.start("daily", "--as-of", str(TODAY))
    try:
        assert daily.wait_for("fetch", process, after=newest[0] if newest else 0)
        process.terminate()
        said, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 130, said
    assert "stopped by signal 15" in said
    assert "the next run goes on from what has landed" in said
    assert "Traceback" not in said and "leaked" not in said
    assert daily.step() == "failed"


@pytest.mark.parametrize(
    "step", [pytest.param("fetch", marks=pytest.mark.chaos), "build"]
)
def test_a_run_that_lost_its_server_was_stopped_or_froze_is_gone_on_with(
    demo: LocalLastfm, yesterday: Daily, today: Daily, tmp_path: Path, step: str
) -> None:
    """One after the other in one folder, which then must equal an undisturbed one."""
    daily = copy_of(demo, yesterday.data_dir, tmp_path / "data")
    server_goes_down(demo, daily)
    stopped_at_once(daily)
    newest = daily.newest_run()
    assert newest is not None
    frozen = daily.start("daily", "--as-of", str(TODAY))
    try:
        assert daily.wait_for(step, frozen, after=newest[0])
        os.kill(frozen.pid, signal.SIGSTOP)
        time.sleep(3.2)
        daily.run("daily", "--as-of", str(TODAY))
        pointer = daily.published()
        os.kill(frozen.pid, signal.SIGCONT)
        said, _ = frozen.communicate(timeout=120)
    finally:
        end(frozen)
    # Where it slept inside a transaction, the other run had to end it.
    if frozen.returncode != -signal.SIGKILL:
        assert frozen.returncode == 76, said
        assert "lost the lock" in said
    assert daily.published() == pointer
    assert daily.fingerprint() == today.fingerprint()


def test_a_full_disk_is_a_clear_error_and_running_again_by_force_changes_no_mart(
    demo: LocalLastfm, today: Daily, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    files = [path for path in today.data_dir.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    again = ("daily", "--as-of", str(TODAY), "--force")
    with small_disk(disk, size + 2**20) as reason:
        daily = copy_of(demo, today.data_dir, disk / "data")
        if not reason:
            said = daily.run(*again, expect=74)
            assert "the disk is full" in said or "no room" in said
            assert "Traceback" not in said
            assert daily.fingerprint() == today.fingerprint()
            assert daily.published() == today.published()
            larger = f"remount,size={size * 20}"
            subprocess.run(["mount", "-o", larger, str(disk)], check=True)
        daily.run(*again)
        assert daily.published() != today.published()
        assert daily.fingerprint() == today.fingerprint()
    if reason:
        pytest.skip(reason)


def test_of_ten_runs_started_at_once_one_brings_back_what_was_rolled_back(
    demo: LocalLastfm, yesterday: Daily, today: Daily, tmp_path: Path
) -> None:
    daily = copy_of(demo, today.data_dir, tmp_path / "data")
    daily.run("rollback")
    assert daily.fingerprint() == yesterday.fingerprint()
    processes = [daily.start("daily", "--as-of", str(TODAY)) for _ in range(10)]
    said = [process.communicate(timeout=300)[0] for process in processes]
    published = [text for text in said if "Published" in text]
    assert len(published) == 1, said
    for process, text in zip(processes, said, strict=True):
        if "already done" not in text and "Published" not in text:
            assert process.returncode == 75, text
            assert "holds the lock" in text
    assert daily.fingerprint() == today.fingerprint()


def test_status_and_sql_answer_about_the_published_version(today: Daily) -> None:
    pointer = today.published()
    assert pointer is not None
    said = today.run("status")
    assert pointer["version"] in said
    assert "fetch" in said
    assert re.search(
        r"storage: .* of 20,000 MB \(\d %\): .*landing .*journal", said, re.S
    )
    rows = today.run("sql", "select count(*) as n from totals", "--format", "csv")
    assert rows.splitlines()[0] == "n"
    assert int(rows.splitlines()[1]) > 0
    said = today.run("sql", "create table marts.mine (n integer)", expect=7)
    assert "read-only" in said


def test_a_day_in_the_future_is_refused_by_name(today: Daily) -> None:
    future = TODAY + timedelta(days=3)
    said = today.run("daily", "--as-of", str(future), expect=2)
    assert "is in the future" in said


def test_an_unknown_gate_is_refused_with_the_known_ones(today: Daily) -> None:
    said = today.run("daily", "--accept", "everything", expect=2)
    assert "completeness" in said
