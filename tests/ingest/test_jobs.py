"""A listener who joins the panel is fetched whole, beside whatever the day is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import orjson
import pytest

from ingest import jobs, landing
from ingest.jobs import correct_artist, fetch_artist, fetch_listener, fetch_listens
from ingest.lastfm.fetch import FetchCancelled
from ingest.lastfm.plan import ARTIST_METHODS
from ingest.lastfm.queue import Queue
from ingest.listenbrainz import walk
from ingest.load.load import load
from local_lastfm import LocalLastfm
from warehouse import ops
from warehouse.errors import Busy, FetchFailed, NotKnown
from warehouse.lease import Lease
from warehouse.names import name_key
from warehouse.run import Target
from warehouse.settings import Settings

TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm(world="demo", today=TODAY) as server:
        yield server


@dataclass
class Job:
    settings: Settings
    listener_name: str
    subject: str | None = None
    job_id: str = "0123456789"
    cancelled: bool = False
    reports: list[tuple[int, int | None]] = field(default_factory=list)

    def report(self, done: int, total: int | None, counts: dict[str, int]) -> None:
        self.reports.append((done, total))

    def is_cancelled(self) -> bool:
        return self.cancelled


@pytest.fixture
def job(lastfm: LocalLastfm, tmp_path: Path) -> Job:
    settings = Settings(data_dir=tmp_path / "data", lastfm_url=lastfm.as_of_url)
    return Job(settings, lastfm.world.listeners[3])


def landed_scrobbles(settings: Settings) -> set[tuple[int, str]]:
    engine = ops.open_ops(settings)
    root = settings.data_dir / "landing"
    with engine.begin() as connection:
        parts = landing.list_parts(connection)
    found: set[tuple[int, str]] = set()
    for part in parts:
        for record in landing.read_part(root, part):
            if record.method == "user.getRecentTracks" and record.is_data:
                rows = orjson.loads(record.body)["recenttracks"]["track"]
                for row in rows if isinstance(rows, list) else [rows]:
                    if "date" in row:
                        found.add((int(row["date"]["uts"]), row["name"]))
    engine.dispose()
    return found


def test_the_whole_library_is_landed_and_the_listener_stays_in_the_panel(
    lastfm: LocalLastfm, job: Job
) -> None:
    counts = fetch_listener(job)
    assert counts["failed"] == 0
    now = time.time()  # the server's day goes on until the evening
    plays = lastfm.truth(job.listener_name, TODAY)
    truth = {(play.uts, play.track_name) for play in plays if play.uts < now}
    assert len(truth) > 100
    assert landed_scrobbles(job.settings) == truth
    queue = Queue(ops.open_ops(job.settings), job.settings.data_dir / "landing")
    assert queue.panel() == (job.listener_name,)
    done = [done for done, total in job.reports if total]
    assert done == sorted(done)


def test_run_again_it_asks_for_the_newest_part_only(
    lastfm: LocalLastfm, job: Job
) -> None:
    first = fetch_listener(job)["requests"]
    again = fetch_listener(job)["requests"]
    assert again <= 6 < first


@pytest.mark.parametrize("is_job", [False, True], ids=["a run", "the control: a job"])
def test_it_gives_way_to_a_run_and_goes_on_after_it(
    lastfm: LocalLastfm, job: Job, monkeypatch: pytest.MonkeyPatch, is_job: bool
) -> None:
    monkeypatch.setattr(jobs, "WAIT_SECONDS", 0.05)
    job.settings = job.settings.model_copy(
        update={"lastfm_requests_per_second": 40.0, "lease_seconds": 2.0}
    )
    ended: list[dict[str, int]] = []
    working = threading.Thread(target=lambda: ended.append(dict(fetch_listener(job))))
    working.start()
    deadline = time.monotonic() + 60
    while not any(done for done, total in job.reports if total):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    engine = ops.open_ops(job.settings)
    name = "job-another" if is_job else "daily"
    lease = Lease(engine, name, job.settings.data_dir / "alive", 60)
    try:
        if is_job:
            with pytest.raises(Busy):
                lease.acquire()
        else:
            with lease:
                while None not in [total for _, total in job.reports]:
                    assert time.monotonic() < deadline, "the job goes on"
                    time.sleep(0.01)
    finally:
        working.join(60)
    assert ended and ended[0]["failed"] == 0
    now = time.time()
    plays = lastfm.truth(job.listener_name, TODAY)
    truth = {(play.uts, play.track_name) for play in plays if play.uts < now}
    assert landed_scrobbles(job.settings) == truth
    engine.dispose()


def test_it_waits_for_the_daily_run_and_can_be_cancelled_meanwhile(job: Job) -> None:
    engine = ops.open_ops(job.settings)
    with Lease(engine, "daily", job.settings.data_dir / "alive", 60):
        timer = threading.Timer(0.3, lambda: setattr(job, "cancelled", True))
        timer.start()
        with pytest.raises(FetchCancelled, match="was cancelled"):
            fetch_listener(job)
        timer.join()
    engine.dispose()


def test_an_artist_that_is_asked_for_is_landed_and_followed_from_then_on(
    lastfm: LocalLastfm, job: Job
) -> None:
    engine = ops.open_ops(job.settings)
    queue = Queue(engine, job.settings.data_dir / "landing")
    name = "Broken Motel"
    job.subject = name.upper()
    counts = fetch_artist(job)
    assert counts["answers"] >= len(ARTIST_METHODS)
    assert queue.tracked_artists() == {name_key(name): name}  # by last.fm's spelling
    assert queue.panel() == ()
    with engine.begin() as connection:
        parts = landing.list_parts(connection, complete_only=True)
    records = [
        record
        for part in parts
        for record in landing.read_part(job.settings.data_dir / "landing", part)
    ]
    assert {record.method for record in records} == {m for m, _ in ARTIST_METHODS}
    assert {record.params["artist"] for record in records} == {name}
    # Again on the same day nothing is asked but the spelling.
    assert fetch_artist(job)["requests"] == 0
    # The control: a name that nobody knows is not followed.
    job.subject = "Nobody At All"
    with pytest.raises(NotKnown):
        fetch_artist(job)
    assert len(queue.tracked_artists()) == 1
    engine.dispose()


def test_the_listens_of_an_account_elsewhere_are_landed_for_whom_it_is_named(
    lastfm: LocalLastfm, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "PAGE_LISTENS", 100)
    there = {"listenbrainz_url": lastfm.listenbrainz_url, "lastfm_wait_seconds": 5.0}
    job.settings = job.settings.model_copy(update=there)
    job.listener_name, job.subject = "Zoe", lastfm.world.listeners[1]
    job.cancelled = True
    with pytest.raises(FetchCancelled):
        fetch_listens(job)
    job.cancelled = False
    counts = fetch_listens(job)
    truth = lastfm.truth(lastfm.world.listeners[1], TODAY)
    known = [play for play in truth if play.uts <= time.time()]
    assert counts["plays"] >= len(known) > 300 and counts["pages"] > 3
    assert job.reports[-1] == (counts["requests"], None)
    engine = ops.open_ops(job.settings)
    with engine.begin() as connection:
        parts = landing.list_parts(connection, complete_only=True)
    engine.dispose()
    root = job.settings.data_dir / "landing"
    records = [record for part in parts for record in landing.read_part(root, part)]
    assert {record.params["user"] for record in records} == {"Zoe"}
    # Again nothing new is landed; a name that nobody has fails by that name.
    assert fetch_listens(job)["pages"] == 0
    job.subject = "nobody there"
    with pytest.raises(FetchFailed, match="nobody there at ListenBrainz: there is no"):
        fetch_listens(job)


def test_a_decision_that_a_run_interrupts_is_landed_after_it(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.subject = "Twin, The\nTwins"
    root = job.settings.data_dir / "landing"
    append = landing.PartWriter.append
    runs: list[str] = []

    def interrupted(writer: landing.PartWriter, lines: list[bytes]) -> int:
        length = append(writer, lines)
        if not runs:
            engine = ops.open_ops(job.settings)
            with Lease(engine, "daily", job.settings.data_dir / "alive", 60):
                # What no row knows is a dead run's.
                landing.sweep(root, writer.as_of, set())
            engine.dispose()
            runs.append(writer.run_id)
        return length

    monkeypatch.setattr(landing.PartWriter, "append", interrupted)
    assert correct_artist(job) == {"names": 1}
    engine = ops.open_ops(job.settings)
    with engine.begin() as connection:
        (part,) = landing.list_parts(connection, complete_only=True)
    engine.dispose()
    assert runs and part.run_id not in runs
    assert (root / part.part).exists()


def test_a_decision_about_a_name_is_landed_and_loaded_beside_runs(
    job: Job, tmp_path: Path
) -> None:
    job.subject = "Twin, The\nTwins"
    assert correct_artist(job) == {"names": 1}
    engine = ops.open_ops(job.settings)
    with engine.begin() as connection:
        parts = landing.list_parts(connection, complete_only=True)
    assert len(parts) == 1
    target = Target(duckdb_path=tmp_path / "candidate.duckdb")
    folder = job.settings.data_dir / "landing"
    work = tmp_path / "work"
    work.mkdir()
    day = parts[0].as_of_date
    loaded = load(target, folder, parts, "run", day, work, lambda _connection: None)
    assert (loaded.rows, loaded.dead) == (1, 0)
    # What cannot be read of it would keep no day from being published.
    assert loaded.brought_items == 1
    with duckdb.connect(str(target.duckdb_path), read_only=True) as made:
        rows = made.execute(
            "select requested_name, artist_name, as_of_date, asked.name_key"
            " from raw.corrections__artists join raw.lastfm__name_keys as asked"
            " on asked.name = requested_name"
        ).fetchall()
    assert rows == [("Twin, The", "Twins", day, "twin, the")]
    # While a run holds the lease nothing is landed.
    with Lease(engine, "daily", job.settings.data_dir / "alive", 60):
        job.cancelled = True
        with pytest.raises(FetchCancelled, match="was cancelled"):
            correct_artist(job)
    with engine.begin() as connection:
        assert landing.list_parts(connection) == parts
    engine.dispose()
