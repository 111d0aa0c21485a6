"""Starts jobs in the service and runs them in a worker; the table is the queue."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from serve.jobs import store
from serve.jobs.context import Cancelled, JobContext
from serve.settings import ServeSettings
from warehouse.hooks import JOBS, JobHook, JobLost
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

    def start(
        self,
        account_id: int,
        kind: str,
        listener_name: str,
        *,
        subject: str | None = None,
        most_a_day: int | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """A new queued job, or the active one of that kind; True when it is new.

        Args:
            subject: what it is about; jobs of other subjects are others.
            most_a_day: so many of that kind an account may start in 24 hours.

        Raises:
            QuotaUsed: it has.
        """
        return store.create(
            self._engine,
            account_id,
            kind=kind,
            listener_name=listener_name,
            subject=subject,
            most_a_day=most_a_day,
        )

    def recover(self) -> None:
        """Put jobs back into the queue whose worker died."""
        store.recover(self._engine)

    def run_queued(self) -> None:
        """Run what is queued, the oldest first, until nothing is."""
        while job_id := store.next_queued(self._engine):
            self.run(job_id)

    def run(self, job_id: str) -> None:
        """Run one job to its end, unless another worker has it."""
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
            if word == "lost":
                raise JobLost(job_id)
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
                job["subject"],
            )
            counts.update(function(context) or {})
            finish(self._engine, job_id, self.worker, "done", counts=counts)
        except JobLost:
            log.warning("job %s: another worker has it", job_id)
        except Cancelled:
            finish(self._engine, job_id, self.worker, "cancelled", counts=counts)
        except KeyboardInterrupt:
            store.give_back(self._engine, job_id, self.worker)
            raise
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
