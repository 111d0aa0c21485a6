"""Jobs people start in the read service: fetch a library, an artist, import files.

Owns how such a job shares the queue with the daily run: it waits for the lease, works
under it, gives way to a run that comes meanwhile and goes on after it, and leaves the
rest of the day as it found it. What it lands is loaded and published by the next daily
run, which follows the listener from then on.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from ingest import corrections
from ingest.exports.landing import is_landed, land
from ingest.exports.plays import Tally
from ingest.exports.reading import read, readings
from ingest.lastfm.ask import asking
from ingest.lastfm.client import Client
from ingest.lastfm.fetch import FetchCancelled, FetchResult, Progress, fetch
from ingest.lastfm.queue import Queue
from ingest.lastfm.servers import lastfm_server
from ingest.lastfm.step import retry_policy
from ingest.listenbrainz import provider as listenbrainz
from ingest.listenbrainz.client import AccountLeftOut
from ingest.listenbrainz.client import Client as ListenBrainz
from ingest.listenbrainz.walk import Walked, walk
from warehouse import forgetting, ops, uploads
from warehouse.errors import Busy, FetchFailed, ImportRefused, LeaseLost
from warehouse.hooks import Job, JobLost
from warehouse.lease import JOB, Lease
from warehouse.names import name_key

T = TypeVar("T")
WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 6 * 3600.0


def fetch_listener(job: Job) -> Mapping[str, int]:
    """Add the listener to the panel and fetch everything about them.

    Safe to run again: only the newest hours are asked for twice.

    Raises:
        Busy: a daily run held the lock for six hours.
        FetchFailed: last.fm refused, the job was cancelled, or the listener's deletion
            is not done yet.
    """
    settings = job.settings
    engine = ops.open_ops(settings)
    try:
        key = name_key(job.listener_name)
        if key in forgetting.asked_for(settings, engine):
            raise FetchFailed(
                "what is kept of you is still being deleted, as you asked; the next"
                " daily run ends that: ask again after it"
            )
        forgetting.take_back(settings, engine, key)
        Queue(engine, settings.data_dir / "landing").join_panel(job.listener_name)
        result = _beside_runs(job, engine, lambda lease: _fetch(job, engine, lease))
    finally:
        engine.dispose()
    return {
        "requests": result.requests,
        "answers": result.answers,
        "bytes": result.bytes,
        "skipped": result.skipped,
        "failed": result.failed,
    }


def fetch_artist(job: Job) -> Mapping[str, int]:
    """Fetch the artist that somebody asked for, and follow it from now on.

    Safe to run again: what is answered today is not asked again.

    Raises:
        Busy: a daily run held the lock for six hours.
        NotKnown: last.fm knows no artist of this name.
        FetchFailed: last.fm refused, or the job was cancelled.
    """
    settings = job.settings
    with asking(settings) as lastfm:
        name = lastfm.spelling(job.subject or "")
    engine = ops.open_ops(settings)
    try:
        result = _beside_runs(
            job, engine, lambda lease: _fetch(job, engine, lease, artist=name)
        )
    finally:
        engine.dispose()
    return {"requests": result.requests, "answers": result.answers}


def fetch_listens(job: Job) -> Mapping[str, int]:
    """Fetch the history of the account at ListenBrainz that the listener named.

    Safe to run again: a page that is landed is not asked again.

    Raises:
        Busy: a daily run held the lock for six hours.
        FetchFailed: ListenBrainz refused, the job was cancelled, or the listener's
            deletion is not done yet.
    """
    settings = job.settings
    engine = ops.open_ops(settings)
    try:
        if name_key(job.listener_name) in forgetting.asked_for(settings, engine):
            raise FetchFailed("what is kept of you is still being deleted")
        with listenbrainz.opened(settings) as client:
            walked = _beside_runs(
                job, engine, lambda lease: _walk(job, engine, lease, client)
            )
    except AccountLeftOut as error:
        raise FetchFailed(f"{job.subject} at ListenBrainz: {error}") from error
    finally:
        engine.dispose()
    return {"requests": client.requests, "pages": walked.pages, "plays": walked.listens}


def _walk(job: Job, engine: Engine, lease: Lease, client: ListenBrainz) -> Walked:
    """Walk over what is left of the account's history."""

    def check(connection: Connection) -> None:
        lease.check(connection)
        if job.is_cancelled():
            raise FetchCancelled("the job was cancelled")
        job.report(client.requests, None, {"requests": client.requests})

    return walk(
        client,
        engine,
        job.settings.data_dir / "landing",
        job.listener_name,
        job.subject or "",
        run_id=lease.run_id,
        as_of=datetime.now(UTC).date(),
        check=check,
    )


def correct_artist(job: Job) -> Mapping[str, int]:
    """Land what an administrator decided about an artist's name.

    `job.subject` is the name and, on a line of its own, what is right. Safe to run
    again: the same decision twice is one.

    Raises:
        Busy: a daily run held the lock for six hours.
    """
    requested, _, artist = (job.subject or "").partition("\n")
    engine = ops.open_ops(job.settings)
    folder = job.settings.data_dir / "landing"

    def decide(lease: Lease) -> None:
        with engine.connect() as connection:
            now = ops.database_time(connection)
        corrections.land(engine, folder, requested, artist, now, lease.check)

    try:
        _beside_runs(job, engine, decide)
    finally:
        engine.dispose()
    return {"names": 1}


def import_history(job: Job) -> Mapping[str, int]:
    """Land the files that the listener has handed in, each whole or not at all.

    A file is deleted when it is landed, and when the job ends in any other way. Safe to
    run again: a file that is landed is known.

    Raises:
        Busy: a daily run held the lock for six hours.
        FetchCancelled: nothing of the file is landed.
        ImportRefused: a file is no listening history, or the listener's deletion is not
            done yet.
    """
    settings = job.settings
    engine = ops.open_ops(settings)
    key = name_key(job.listener_name)
    whole = Tally()
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    try:
        if key in forgetting.asked_for(settings, engine):
            raise ImportRefused("what is kept of you is still being deleted")
        while paths := uploads.waiting(settings.data_dir, key):
            try:
                with _held_lease(job, engine, deadline) as lease:
                    whole.add(_import(job, engine, lease, paths[0]))
            except LeaseLost:
                continue  # a run has taken over; nothing of the file is landed
            except ImportRefused as error:
                said = str(error).replace(paths[0].name, "the file")
                raise ImportRefused(said) from error
            paths[0].unlink(missing_ok=True)
    except JobLost:
        raise  # the worker that has the job now reads the file
    except Exception:
        uploads.discard(settings.data_dir, [key])
        raise
    finally:
        engine.dispose()
    return _counted(whole)


def _import(job: Job, engine: Engine, lease: Lease, path: Path) -> Tally:
    def check(connection: Connection) -> None:
        lease.check(connection)
        _give_up_if_cancelled(job)

    (reading,) = readings([path])
    if not is_landed(engine, job.listener_name, reading):
        with engine.connect() as connection:
            now = ops.database_time(connection)
        land(
            engine,
            job.settings.data_dir / "landing",
            job.listener_name,
            reading,
            read(reading, now),
            as_of=now.date(),
            now=now,
            check=check,
        )
    return reading.tally


def _give_up_if_cancelled(job: Job) -> None:
    job.report(0, None, {})
    if job.is_cancelled():
        raise FetchCancelled("the job was cancelled")


def _counted(tally: Tally) -> dict[str, int]:
    """What became of the rows, in words for the page of one's jobs."""
    counts = {"rows": tally.rows, "plays": tally.taken, "equal": tally.duplicates}
    aside = {f"set aside: {reason}": rows for reason, rows in tally.aside.items()}
    return counts | aside


def _fetch(
    job: Job, engine: Engine, lease: Lease, artist: str | None = None
) -> FetchResult:
    """Fetch what is left of the listener, or of an artist.

    Raises:
        LeaseLost: a run has taken over; what had been answered is landed.
    """
    settings = job.settings
    cancel = threading.Event()

    def progress(now: Progress) -> None:
        if job.is_cancelled():
            cancel.set()
        job.report(
            now.done + now.skipped,
            now.planned,
            {"requests": now.requests, "bytes": now.bytes},
        )

    listeners = (job.listener_name,) if artist is None else ()
    with lastfm_server(settings, engine, lambda _line: None) as server:
        (result,) = fetch(
            [(datetime.now(UTC).date(), "full")],
            plan=replace(server.plan, listeners=listeners),
            client=Client(server.url, server.api_key),
            engine=engine,
            landing_root=settings.data_dir / "landing",
            run_id=lease.run_id,
            rate=server.rate,
            check=lease.check,
            progress=progress,
            policy=retry_policy(settings),
            cancel=cancel,
            panel_only=artist is None,
            artist_only=artist,
        )
    return result


def _beside_runs(job: Job, engine: Engine, work: Callable[[Lease], T]) -> T:
    """Do the work under the lease, and again from where it is when a run takes over.

    What was landed until then is recorded, so `work` finds less to do each time.

    Raises:
        Busy: daily runs held the lock for six hours.
    """
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        try:
            with _held_lease(job, engine, deadline) as lease:
                return work(lease)
        except LeaseLost:
            continue


@contextmanager
def _held_lease(job: Job, engine: Engine, deadline: float) -> Iterator[Lease]:
    """The lease, as soon as no daily run holds it."""
    settings = job.settings
    run_id = f"{JOB}{job.job_id[:20]}-{secrets.token_hex(3)}"
    lease = Lease(engine, run_id, settings.data_dir / "alive", settings.lease_seconds)
    while True:
        try:
            lease.acquire()
            break
        except Busy:
            if time.monotonic() > deadline:
                raise
            _give_up_if_cancelled(job)
            time.sleep(WAIT_SECONDS)
    try:
        yield lease
    finally:
        lease.release()
