"""The way of a job's id from the service to a worker: huey on a SQLite file."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from huey import SqliteHuey
from huey.serializer import SignedSerializer
from sqlalchemy import Engine

from serve.jobs import store
from serve.jobs.context import Cancelled, JobContext
from serve.settings import ServeSettings, signing_key
from warehouse.hooks import JOBS, JobHook
from warehouse.redact import redact

log = logging.getLogger(__name__)


class Jobs:
    """Starts jobs, and runs them where a worker is made of it."""

    def __init__(
        self,
        engine: Engine,
        settings: ServeSettings,
        functions: Mapping[str, JobHook] | None = None,
        beat_seconds: float = 3.0,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._functions = functions
        self._beat_seconds = beat_seconds
        self.worker = f"{socket.gethostname()[:40]}:{os.getpid()}"
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.huey = SqliteHuey(
            "scrobble",
            filename=str(settings.data_dir / "jobs.sqlite"),
            results=False,
            fsync=True,
            # huey pickles: a file changed by another hand must not be read.
            serializer=SignedSerializer(secret=signing_key(settings)),
        )
        self._task = self.huey.task(name="run_job", retries=0)(self.run)

    def start(
        self, account_id: int, kind: str, listener_name: str
    ) -> tuple[dict[str, Any], bool]:
        """A new job on its way, or the active one of that kind; True when new."""
        job, is_new = store.create(
            self._engine, account_id, kind=kind, listener_name=listener_name
        )
        if is_new:
            self._task(job["job_id"])
        return job, is_new

    def recover(self) -> None:
        """Take up jobs whose worker died or that the queue lost."""
        waiting = store.recover(self._engine)
        if waiting and not self.huey.pending_count():
            for job_id in waiting:
                self._task(job_id)

    def run(self, job_id: str) -> None:
        """Run one job to its end; called by the worker."""
        job = store.claim(self._engine, job_id, self.worker)
        if job is None:
            return
        stop = threading.Event()
        pulse = threading.Thread(target=self._beating, args=(job_id, stop), daemon=True)
        pulse.start()
        try:
            self._run(job)
        finally:
            stop.set()
            pulse.join()

    def _run(self, job: dict[str, Any]) -> None:
        job_id = job["job_id"]
        finish = store.finish
        counts: dict[str, int] = {}

        def report(done: int, total: int | None, now: dict[str, int]) -> None:
            counts.update(now)
            word = store.beat(
                self._engine, job_id, self.worker, done=done, total=total, counts=counts
            )
            if word != "go":
                raise Cancelled(word)

        def is_cancelled() -> bool:
            return store.beat(self._engine, job_id, self.worker) != "go"

        try:
            function = self._function(job["kind"])
            context = JobContext(
                job_id,
                job["listener_name"],
                self._settings.warehouse,
                report,
                is_cancelled,
            )
            counts.update(function(context) or {})
            finish(self._engine, job_id, self.worker, "done", counts=counts)
        except Cancelled:
            finish(self._engine, job_id, self.worker, "cancelled", counts=counts)
        except Exception as error:
            log.exception("job %s failed", job_id)
            text = redact(f"{type(error).__name__}: {error}")[:2000]
            finish(
                self._engine, job_id, self.worker, "failed", counts=counts, error=text
            )

    def _function(self, kind: str) -> JobHook:
        if self._functions is not None:
            return self._functions[kind]
        function = JOBS.find(kind)
        if function is None:
            raise LookupError(
                f"no entry point {kind!r} in group {JOBS.group!r} is installed"
            )
        return function

    def _beating(self, job_id: str, stop: threading.Event) -> None:
        while not stop.wait(self._beat_seconds):
            try:
                store.beat(self._engine, job_id, self.worker)
            except Exception:
                log.warning("job %s: the heartbeat was not stored", job_id)
