"""Fetching days of last.fm: workers ask, one writer lands, the queue remembers.

Owns the orchestration: threads, repeats, batches, progress. Must not know what is asked
(``plan``), what an error means (``client``) or how rows are made (the load).

Worker threads take a call, wait for a slot of the rate limiter, make one request and
hand over the answer with its verdict. The calling thread is the only writer: it lands
answers in batches and records each batch in one transaction (see ``queue``), and it
feeds the workers. So a kill at any moment leaves a queue that the next fetch goes on
with. No transaction is open while somebody waits for the network.
"""

from __future__ import annotations

import heapq
import math
import queue as queues
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Engine

from ingest import landing
from ingest.landing import PART_BYTES, PartWriter, Record
from ingest.lastfm import completeness, friends
from ingest.lastfm import plan as planning
from ingest.lastfm.breaker import Breaker
from ingest.lastfm.client import (
    BACKEND_FAILED,
    Action,
    Answer,
    Client,
    Connection,
    RetryPolicy,
    TransportFailed,
    Verdict,
    judge,
)
from ingest.lastfm.limiter import Limiter
from ingest.lastfm.plan import Digest, FetchPlan, Mode, Notes, Situation
from ingest.lastfm.queue import (
    Batch,
    Day,
    Ending,
    Queue,
    QueuedCall,
    canonical,
    now_uts,
)
from warehouse.errors import FetchFailed

MAX_WORKERS = 64
FLUSH_SECONDS = 1.0
FLUSH_ANSWERS = 400
FLUSH_BYTES = 4 * 1024 * 1024
# Answers waiting to be landed may not fill the memory.
WAITING_BYTES = 24 * 1024 * 1024
CHUNK = 2000
KEEP_CALLS_DAYS = 45
# Above this many requests a second a Python client is bound by its processor.
CLIENT_RATE = 1000.0
# Deep pages fail with error 8 again and again; this often before they are made smaller.
BACKEND_TRIES = 2
# A fetch that ends waits so long for the requests under way.
LAST_SECONDS = 2.0
# Failures of a call that say nothing of the server.
ANSWERED_BADLY = (f"error {BACKEND_FAILED}", "wrong user")
# Calls of a method that last.fm does not offer, before the others are not made.
LEFT_OUT_TRIES = 10


class FetchStopped(FetchFailed):
    """last.fm said something that no repeat can mend, or fails all the time."""


class FetchCancelled(FetchFailed):
    """Somebody asked the fetch to stop; what was answered is landed."""


@dataclass(frozen=True)
class Progress:
    """How far the fetch of one day is. `planned` grows while answers ask for more."""

    as_of: date
    done: int
    planned: int
    requests: int
    retries: int
    bytes: int
    skipped: int
    failed: int


@dataclass(frozen=True)
class FetchResult:
    """What the fetch of one day did.

    `requests`, `retries`, `bytes` (of bodies), `landed_bytes` (compressed), `methods`
    and `errors` count this process's work; `planned`, `done`, `skipped` and `failed`
    the whole day, earlier processes' included.
    """

    as_of: date
    mode: Mode
    requests: int
    answers: int
    bytes: int
    landed_bytes: int
    retries: int
    planned: int
    done: int
    skipped: int
    failed: int
    duration_seconds: float
    methods: dict[str, int]
    errors: dict[str, int]
    notes: tuple[str, ...] = ()
    incomplete_walks: tuple[str, ...] = ()
    private_listeners: tuple[str, ...] = ()
    login_needed: tuple[str, ...] = ()
    was_finished: bool = False
    lacking: tuple[str, ...] = ()
    """lists that are not complete enough, a few words each"""
    left_out: dict[str, int] = field(default_factory=dict)
    """calls of methods that last.fm does not offer any more"""

    @property
    def completeness(self) -> float:
        """The share of planned calls that are answered or rightly skipped."""
        return (self.done + self.skipped) / self.planned if self.planned else 1.0


@dataclass(frozen=True, slots=True)
class _Job:
    as_of: date
    queued: QueuedCall


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a worker brings back. No answer: the transport failed with `verdict`."""

    job: _Job
    answer: Answer | None
    verdict: Verdict
    digest: Digest | None
    line: bytes | None
    was_dropped: bool = False


@dataclass
class _Tally:
    requests: int = 0
    answers: int = 0
    bytes: int = 0
    landed_bytes: int = 0
    retries: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    planned: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    data: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    walks_begun: dict[str, None] = field(default_factory=dict)
    walks_complete: set[str] = field(default_factory=set)
    private: dict[str, None] = field(default_factory=dict)
    login: dict[str, None] = field(default_factory=dict)


def fetch(
    days: Sequence[tuple[date, Mode]],
    *,
    plan: FetchPlan,
    client: Client,
    engine: Engine,
    landing_root: Path,
    run_id: str,
    rate: float,
    check: Callable[[DatabaseConnection], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    policy: RetryPolicy | None = None,
    limiter: Limiter | None = None,
    max_workers: int = MAX_WORKERS,
    loaded_parts: Collection[str] = (),
    now: Callable[[], int] = now_uts,
    panel_only: bool = False,
    artist_only: str | None = None,
) -> list[FetchResult]:
    """Fetch and land these days, in order; each is taken up where it was left.

    Args:
        days: (day, mode): ``full`` for the newest, ``snapshot`` for missed days of a
            server that can be asked as of a day (its URL has ``{as_of}``).
        plan: what the daily cycle covers.
        client: the server and the key.
        engine: the ops database (``warehouse.ops.open_ops``).
        landing_root: the folder of landing files.
        run_id: names the landing parts; no secret.
        rate: requests a second, of all workers and processes on this server together.
        check: called in each batch's transaction; raises when the lease is lost
            (``Lease.check``), and the batch is neither recorded nor kept.
        progress, cancel: called a few times a second; set to stop.
        policy: when failures are repeated, and when the run gives up.
        limiter, max_workers: for tests and benchmarks.
        loaded_parts: landing parts already in raw; these may be missing here.
        now: seconds since 1970; walks end here, or at the day's end.
        panel_only: ask about the plan's listeners alone; the rest stays as it is.
        artist_only: ask about this artist alone, who is tracked from now on.

    Returns:
        A result for each day.

    Raises:
        FetchStopped: our fault, the key's, or the server's for too long.
        FetchCancelled: `cancel` was set.
        LeaseLost: another run works on this.
        DiskFull: no room; everything recorded so far stays.
    """
    fetcher = _Fetcher(
        plan=plan,
        client=client,
        queue=Queue(engine, landing_root),
        limiter=limiter or Limiter(engine, client.name, rate),
        run_id=run_id,
        check=check,
        progress=progress,
        cancel=cancel or threading.Event(),
        policy=policy or RetryPolicy(),
        max_workers=max_workers,
        loaded_parts=loaded_parts,
        now=now,
        panel_only=panel_only,
        artist_only=artist_only,
    )
    try:
        return [fetcher.fetch_day(as_of, mode) for as_of, mode in days]
    finally:
        fetcher.close()


class _Workers:
    """The threads. Grows by need: when a request starts and nobody is left waiting."""

    def __init__(
        self,
        client: Client,
        limiter: Limiter,
        breaker: Breaker,
        run_id: str,
        most: int,
        is_left_out: Callable[[str], bool],
    ) -> None:
        self.client = client
        self.is_left_out = is_left_out
        self.limiter = limiter
        self.breaker = breaker
        self.run_id = run_id
        self.most = most
        self.jobs: queues.SimpleQueue[_Job | None] = queues.SimpleQueue()
        self.outcomes: queues.SimpleQueue[_Outcome | BaseException] = (
            queues.SimpleQueue()
        )
        self.waiting_bytes = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._started: dict[int, float] = {}
        self._latencies: deque[float] = deque(maxlen=64)
        self._best = math.inf
        self._closing = False

    @property
    def count(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def wanted(self) -> int:
        """Little's law: requests under way = rate × latency, with half as many again.

        At rates that no last.fm allows (a local server's) the processor is the bound,
        and more threads only wait for each other and make every answer later. So there
        the best latency counts, which tells a far server from a busy one.
        """
        rate = min(self.limiter.rate, CLIENT_RATE)
        is_real = self.limiter.rate <= CLIENT_RATE / 4
        taken = sorted(self._latencies)
        if len(taken) < (4 if is_real else 16):
            return min(self.most, max(4, math.ceil(rate * 0.25 if is_real else 0)))
        latency = taken[int(len(taken) * 0.9)] if is_real else self._best
        # A worker in the hands of a hanging server works on nothing else.
        late = time.monotonic() - max(5.0, 5 * latency)
        stuck = sum(1 for started in list(self._started.values()) if started < late)
        return min(self.most, max(4, math.ceil(rate * latency * 1.5) + 2) + stuck)

    def start(self) -> None:
        """Have at least one thread."""
        with self._lock:
            if not self._threads:
                self._spawn()

    def grow(self) -> None:
        """Add a thread when none waits for work and one more is wanted."""
        with self._lock:
            if (
                self._waiting == 0
                and not self._closing
                and not self.jobs.empty()
                and len(self._threads) < self.wanted()
            ):
                self._spawn()

    def _spawn(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"fetch-{len(self._threads) + 1}", daemon=True
        )
        self._waiting += 1
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        with self._lock:
            self._closing = True
        self.halt()
        for _ in self._threads:
            self.jobs.put(None)
        deadline = time.monotonic() + 5
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def halt(self) -> None:
        """Let no further request start."""
        self.limiter.stop()
        self.breaker.stop()

    def last_outcomes(self) -> list[_Outcome]:
        """Let no further request start; what those under way bring in a moment."""
        self.halt()
        found: list[_Outcome] = []
        deadline = time.monotonic() + LAST_SECONDS
        while time.monotonic() < deadline:
            try:
                outcome = self.outcomes.get(timeout=0.05)
            except queues.Empty:
                if not self._started:
                    break
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            found.append(outcome)
        return found

    def _may_ask(self, call_id: str) -> bool:
        """Wait for a slot and a server that is there; False when there is an end."""
        while self.limiter.acquire():
            if self.breaker.admits(call_id):
                return True
            if not self.breaker.wait():
                return False
        return False

    def _work(self) -> None:
        connection = self.client.connect()
        me = threading.get_ident()
        try:
            while True:
                job = self.jobs.get()
                if job is None:
                    return
                if job.queued.is_closed:
                    self.outcomes.put(_dropped(job))
                    continue
                while self.waiting_bytes > WAITING_BYTES and not self._closing:
                    time.sleep(0.01)
                if not self._may_ask(job.queued.call_id):
                    return
                with self._lock:
                    self._waiting -= 1
                self.grow()
                self._started[me] = time.monotonic()
                try:
                    outcome = self._ask(connection, job)
                    if outcome.line is not None:
                        with self._lock:
                            self.waiting_bytes += len(outcome.line)
                    # Under way until it is handed on: at an end nobody waits longer.
                    self.outcomes.put(outcome)
                finally:
                    del self._started[me]
                    with self._lock:
                        self._waiting += 1
        except BaseException as error:
            self.outcomes.put(error)
        finally:
            connection.close()

    def _ask(self, connection: Connection, job: _Job) -> _Outcome:
        queued = job.queued
        call = queued.call
        sent_at = time.monotonic()
        try:
            answer = connection.ask(job.as_of, call.method, call.params)
        except TransportFailed as error:
            verdict = Verdict(Action.RETRY, "no answer", message=str(error))
            self.breaker.failed(queued.call_id)
            return _Outcome(job, None, verdict, None, None)
        self._measure(answer.seconds)
        verdict = judge(answer, call.params)
        self._take_heed(queued.call_id, answer, verdict, sent_at)
        digest = None
        if verdict.action is Action.DATA and call.method in planning.FOLLOWED:
            digest = planning.digest(call.method, verdict.payload)
        body = answer.body
        if call.method.lower() == friends.METHOD:
            body = friends.without(body, self.is_left_out)
        record = Record(
            call_id=queued.call_id,
            run_id=self.run_id,
            as_of_date=job.as_of,
            method=call.method,
            params=call.params,
            context=call.context,
            attempt=queued.attempts + 1,
            fetched_at=answer.fetched_at,
            status=answer.status,
            body=body,
            verdict=verdict.reason,
        )
        # The parsed answer is let go here: a page of scrobbles is megabytes of objects.
        small = Verdict(verdict.action, verdict.reason, verdict.code, verdict.message)
        return _Outcome(job, answer, small, digest, record.to_line())

    def _take_heed(
        self, call_id: str, answer: Answer, verdict: Verdict, sent_at: float
    ) -> None:
        """What the other workers have to know before their next request."""
        is_asked_to_rest = answer.retry_after is not None
        if verdict.action is Action.STOP:
            self.halt()
        elif verdict.action is Action.SLOW_DOWN or (
            verdict.action is Action.RETRY and is_asked_to_rest
        ):
            self.limiter.slow_down(sent_at, answer.retry_after)
        # A failed backend or a mixed up listener is the answer of a server that is up.
        if verdict.action is Action.RETRY and verdict.reason not in ANSWERED_BADLY:
            self.breaker.failed(call_id)
        else:
            self.breaker.answered()

    def _measure(self, seconds: float) -> None:
        with self._lock:
            self._latencies.append(seconds)
            self._best = min(self._best, seconds)


def _dropped(job: _Job) -> _Outcome:
    verdict = Verdict(Action.SKIP, "dropped")
    return _Outcome(job, None, verdict, None, None, was_dropped=True)


class _Fetcher:
    """The writer: one for a fetch, day after day."""

    def __init__(
        self,
        plan: FetchPlan,
        client: Client,
        queue: Queue,
        limiter: Limiter,
        run_id: str,
        check: Callable[[DatabaseConnection], None] | None,
        progress: Callable[[Progress], None] | None,
        cancel: threading.Event,
        policy: RetryPolicy,
        max_workers: int,
        loaded_parts: Collection[str],
        now: Callable[[], int],
        panel_only: bool,
        artist_only: str | None,
    ) -> None:
        self.plan = plan
        self.panel_only = panel_only
        self.artist_only = artist_only
        self.client = client
        self.queue = queue
        self.limiter = limiter
        self.run_id = run_id
        self.check = check
        self.progress = progress
        self.cancel = cancel
        self.policy = policy
        self.loaded_parts = loaded_parts
        self.now = now
        self.breaker = Breaker(
            policy.outage_calls, policy.first_seconds, policy.max_seconds
        )
        self.workers = _Workers(
            client, limiter, self.breaker, run_id, max_workers, plan.is_left_out
        )
        self.requests = 0
        self.retries = 0
        self.answered = 0
        self.last_failure = ""
        self._random = random.Random()

    def close(self) -> None:
        self.workers.close()

    def given_up(self) -> str | None:
        """Why the run ends here, where its retries or its patience are used up."""
        host, cause = self.client.name, self.last_failure or "a rest of an earlier run"
        rested, closed = self.limiter.seconds_rested, self.breaker.seconds_open
        if rested + closed > self.policy.patience(self.answered):
            why = (
                f"{host} does not answer as it should ({cause}): given up after"
                f" {rested + closed:,.0f} s of waiting (LASTFM_WAIT_SECONDS) and"
                f" {self.requests:,} requests"
            )
            if rested > closed:
                why = (
                    f"{host} wants rest ({cause}): {rested + closed:,.0f} s of it after"
                    f" {self.requests:,} requests, more than a run has"
                    " (LASTFM_WAIT_SECONDS)"
                )
        elif self.retries > self.policy.budget(self.requests):
            why = (
                f"{host} keeps failing ({cause}): given up after {self.retries:,}"
                f" retries (LASTFM_RETRIES) in {self.requests:,} requests"
            )
        else:
            return None
        return f"{why}; what was answered is landed, run again later to go on"

    def fetch_day(self, as_of: date, mode: Mode) -> FetchResult:
        """Fetch one day to its end."""
        started = time.monotonic()
        queue = self.queue
        queue.prune(as_of - _days(KEEP_CALLS_DAYS))
        walk_to = planning.end_of_walks(as_of, self.now())
        day = queue.open_day(as_of, mode, walk_to, self.loaded_parts)
        tally = _Tally()
        is_part = self.panel_only or self.artist_only is not None
        if is_part or not day.is_finished:
            run = _DayRun(self, day, tally)
            try:
                run.run_part() if is_part else run.run()
            finally:
                run.close()
        counts = queue.counts(as_of)
        states = queue.states(as_of)
        queue.doubt(as_of, states)
        listed = [
            walk for walk in tally.walks_begun if walk not in tally.walks_complete
        ]
        return FetchResult(
            as_of=as_of,
            mode=day.mode,
            requests=tally.requests,
            answers=tally.answers,
            bytes=tally.bytes,
            landed_bytes=tally.landed_bytes,
            retries=tally.retries,
            planned=sum(counts.values()) - counts.get("superseded", 0),
            done=counts.get("done", 0),
            skipped=counts.get("skipped", 0),
            failed=counts.get("failed", 0) + counts.get("pending", 0),
            duration_seconds=time.monotonic() - started,
            methods=dict(sorted(tally.methods.items())),
            errors=dict(sorted(tally.errors.items())),
            notes=tuple(tally.notes),
            incomplete_walks=tuple(listed),
            private_listeners=tuple(tally.private),
            login_needed=tuple(tally.login),
            was_finished=day.is_finished,
            lacking=tuple(completeness.lacking(states)),
            left_out=completeness.left_out(states),
        )


class _DayRun:
    """The fetch of one day: two phases, each until nothing is pending."""

    def __init__(self, fetcher: _Fetcher, day: Day, tally: _Tally) -> None:
        self.fetcher = fetcher
        self.day = day
        self.tally = tally
        self.queue = fetcher.queue
        self.workers = fetcher.workers
        self.notes = Notes()
        self.known = planning.answered_lately(
            fetcher.plan, day.as_of, self.queue.known()
        )
        self.tracked = self.queue.tracked_artists()
        self.situation = Situation(
            plan=fetcher.plan,
            mode=day.mode,
            tracked=self.tracked,
            notes=self.notes,
        )
        self.writer: PartWriter | None = None
        self.loaded: dict[str, QueuedCall] = {}
        self.cursor = 0
        self.is_drained = False
        self.repeats: list[tuple[float, int, _Job]] = []
        self.superseded: set[str] = set()
        self.stop_reason: str | None = None
        self.last_report = 0.0

    def run(self) -> None:
        as_of = self.day.as_of
        plan = self.fetcher.plan
        if self.day.phase == 0:
            calls = planning.first_phase(
                plan, as_of, self.day.mode, self.day.walk_to, self.queue.listeners()
            )
            self.day = self.queue.plan(self.day, 1, calls)
        elif self.day.phase == 1:
            self._take_notes_again()
        self._count()
        self._drain()
        if self.day.phase == 1:
            new = planning.tracked(plan, self.notes, self.tracked)
            artists = [*self.tracked.values(), *new]
            calls = planning.second_phase(
                plan, self.day.mode, self.notes, artists, self.known, canonical
            )
            self.day = self.queue.plan(self.day, 2, calls, new)
            self._count()
            self._drain()
        self.queue.finish_day(as_of, self.writer.part if self.writer else None)
        self._report(force=True)

    def run_part(self) -> None:
        """The listeners' or an artist's calls, whatever else of the day is done."""
        was_finished = self.day.is_finished
        artist = self.fetcher.artist_only
        if artist is not None:
            calls, tracked = planning.artist_phase(artist), [artist]
        else:
            tracked = []
            calls = planning.panel_phase(
                self.fetcher.plan,
                self.day.as_of,
                self.day.walk_to,
                self.queue.listeners(),
            )
        self.day = self.queue.plan(self.day, self.day.phase, calls, tracked)
        self._count()
        self._drain()
        part = self.writer.part if self.writer else None
        if was_finished:
            self.queue.finish_day(self.day.as_of, part)
        elif part is not None:
            self.queue.close_part(part)
        self._report(force=True)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _count(self) -> None:
        counts = self.queue.counts(self.day.as_of)
        tally = self.tally
        tally.done = counts.get("done", 0)
        tally.skipped = counts.get("skipped", 0)
        tally.failed = counts.get("failed", 0)
        tally.planned = sum(counts.values()) - counts.get("superseded", 0)

    def _take_notes_again(self) -> None:
        """Read from landing what answers of a killed fetch said about phase two."""
        with self.queue.engine.connect() as connection:
            parts = landing.list_parts(connection, self.day.as_of)
        seen: set[str] = set()
        for part in parts:
            if not (self.queue.root / part.part).exists():
                continue
            for record in landing.read_part(self.queue.root, part):
                if (
                    record.method in planning.NOTED
                    and record.is_data
                    and record.call_id not in seen
                ):
                    seen.add(record.call_id)
                    answer = Answer(record.status, record.body, record.fetched_at, 0.0)
                    verdict = judge(answer, record.params)
                    call = planning.Call(record.method, record.params, record.context)
                    self.notes.take(
                        call, planning.digest(record.method, verdict.payload)
                    )

    # The loop --------------------------------------------------------------------

    def _drain(self) -> None:
        """Feed the workers and land their answers until nothing is pending."""
        self.cursor, self.is_drained = 0, False
        self.workers.start()
        held: list[_Outcome] = []
        held_bytes = 0
        since = time.monotonic()
        while True:
            self._feed()
            if not self.loaded and not held and self.is_drained:
                return
            wait = self._patience(held, since)
            try:
                outcome = self.workers.outcomes.get(timeout=wait)
            except queues.Empty:
                outcome = None
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is not None:
                if not held:
                    since = time.monotonic()
                held.append(outcome)
                held_bytes += len(outcome.line or b"")
            self.stop_reason = self.stop_reason or self.fetcher.given_up()
            ended = (
                self.fetcher.cancel.is_set()
                or self.stop_reason is not None
                or (outcome is not None and outcome.verdict.action is Action.STOP)
            )
            if ended:
                held += self.workers.last_outcomes()
            if held and (
                ended
                or len(held) >= FLUSH_ANSWERS
                or held_bytes >= FLUSH_BYTES
                or time.monotonic() - since >= FLUSH_SECONDS
                or len(held) >= len(self.loaded)
            ):
                self._land(held)
                held, held_bytes = [], 0
            self._report()
            if self.stop_reason is not None:
                raise FetchStopped(self.stop_reason)
            if self.fetcher.cancel.is_set():
                raise FetchCancelled(
                    f"the fetch of {self.day.as_of} was stopped;"
                    " run it again to go on where it was"
                )

    def _patience(self, held: list[_Outcome], since: float) -> float:
        wait = 0.25
        now = time.monotonic()
        if held:
            wait = min(wait, max(0.001, since + FLUSH_SECONDS - now))
        if self.repeats:
            wait = min(wait, max(0.001, self.repeats[0][0] - now))
        return wait

    def _feed(self) -> None:
        now = time.monotonic()
        while self.repeats and self.repeats[0][0] <= now:
            self.workers.jobs.put(heapq.heappop(self.repeats)[2])
        if not self.is_drained and len(self.loaded) < CHUNK // 2:
            found = self.queue.pending(self.day.as_of, self.cursor, CHUNK)
            for queued in found:
                self.cursor = queued.seq
                if queued.call_id not in self.loaded:
                    self.loaded[queued.call_id] = queued
                    self.workers.jobs.put(_Job(self.day.as_of, queued))
            self.is_drained = len(found) < CHUNK
        self.workers.grow()

    # Landing a batch -------------------------------------------------------------

    def _land(self, outcomes: Sequence[_Outcome]) -> None:
        batch = Batch()
        repeats: list[tuple[float, _Job]] = []
        for outcome in outcomes:
            self._settle(outcome, batch, repeats)
        lines = [outcome.line for outcome in outcomes if outcome.line is not None]
        batch.answers = len(lines)
        complete = self._write(batch, lines)
        size = sum(len(line) for line in lines)
        with self.workers._lock:
            self.workers.waiting_bytes -= size
        for name in complete:
            self.tally.walks_complete.add(name)
        for due, job in repeats:
            heapq.heappush(self.repeats, (due, job.queued.seq, job))
        if batch.calls:
            self.is_drained = False
        if batch.calls or batch.superseded or batch.skipped or batch.left_out:
            self._count()

    def _write(self, batch: Batch, lines: list[bytes]) -> list[str]:
        """Land the lines, then record the batch; on any failure neither is kept."""
        writer = self._part() if lines else self.writer
        length = writer.append(lines) if writer is not None and lines else 0
        try:
            with self.queue.engine.begin() as connection:
                if self.fetcher.check is not None:
                    self.fetcher.check(connection)
                if writer is not None and lines:
                    landing.enter_part(connection, writer, length, len(lines))
                complete = self.queue.record(
                    connection, self.day.as_of, batch, writer.part if writer else None
                )
        except BaseException:
            if writer is not None and lines:
                writer.cut(writer.bytes)
            raise
        if writer is not None and lines:
            self.tally.landed_bytes += length - writer.bytes
            writer.recorded(length, len(lines))
        return complete

    def _part(self) -> PartWriter:
        if self.writer is not None and self.writer.bytes >= PART_BYTES:
            self.queue.close_part(self.writer.part)
            self.writer.close()
            self.writer = None
        if self.writer is None:
            self.writer = PartWriter(
                self.queue.root, self.day.as_of, self.fetcher.run_id
            )
        return self.writer

    # What an answer means --------------------------------------------------------

    def _settle(
        self, outcome: _Outcome, batch: Batch, repeats: list[tuple[float, _Job]]
    ) -> None:
        """Decide what becomes of the call, into `batch` and `repeats`."""
        queued = outcome.job.queued
        call, verdict, tally = queued.call, outcome.verdict, self.tally
        if outcome.was_dropped:
            self.loaded.pop(queued.call_id, None)
            return
        tally.requests += 1
        self.fetcher.requests += 1
        tally.methods[call.method] += 1
        if outcome.answer is not None:
            tally.answers += 1
            tally.bytes += len(outcome.answer.body)
        queued.attempts += 1
        queued.tries += 1
        if verdict.action is not Action.DATA:
            tally.errors[verdict.reason] += 1
        if queued.is_closed:
            # Skipped or superseded while it was under way: landed, but not needed.
            self.loaded.pop(queued.call_id, None)
            if verdict.action is Action.STOP:
                self.stop_reason = self._refusal(call, verdict)
            return
        if verdict.action is Action.DATA:
            self._accept(queued, outcome.digest, batch)
        elif verdict.action in (Action.RETRY, Action.SLOW_DOWN):
            self._repeat(outcome, batch, repeats)
        else:
            self._refuse(queued, verdict, batch)

    def _accept(self, queued: QueuedCall, answer: Digest | None, batch: Batch) -> None:
        call = queued.call
        self._end(queued, batch, "done", total=answer.total if answer else None)
        self.tally.done += 1
        self.tally.data[call.method] += 1
        if call.method in planning.REMEMBERED:
            batch.known.append(call)
        if answer is None:
            return
        if call.method in planning.NOTED:
            self.notes.take(call, answer)
        if call.method == "user.getRecentTracks":
            batch.private[call.params["user"]] = False
        if (walk := call.walk_id) is not None and walk not in self.superseded:
            batch.walks[walk] = call
            self.tally.walks_begun.setdefault(walk)
        if call.walk_id not in self.superseded:
            self._follow(planning.follow(call, answer, self.situation), batch)

    def _follow(self, following: planning.Next, batch: Batch) -> None:
        if following.superseded is not None:
            self.superseded.add(following.superseded)
            batch.superseded.add(following.superseded)
            batch.walks.pop(following.superseded, None)
            self.tally.walks_begun.pop(following.superseded, None)
            for queued in self.loaded.values():
                if queued.call.walk_id == following.superseded:
                    queued.is_closed = True
        batch.calls += following.calls

    def _repeat(
        self, outcome: _Outcome, batch: Batch, repeats: list[tuple[float, _Job]]
    ) -> None:
        queued, verdict = outcome.job.queued, outcome.verdict
        fetcher, policy = self.fetcher, self.fetcher.policy
        if verdict.code == BACKEND_FAILED and queued.tries >= BACKEND_TRIES:
            smaller = planning.smaller_pages(queued.call)
            if smaller is not None:
                self._say(
                    f"scrobbles of {queued.call.params['user']!r}: deep pages fail,"
                    f" starting again with pages of {smaller.calls[0].params['limit']}"
                )
                self._end(queued, batch, "superseded", verdict)
                self._follow(smaller, batch)
                return
        if queued.tries >= policy.tries:
            self._end(queued, batch, "failed", verdict)
            self.tally.failed += 1
            self._say(
                f"{_named(queued)} failed {queued.tries} times:"
                f" {verdict.reason} {verdict.message}"
            )
            return
        fetcher.retries += 1
        fetcher.last_failure = self._said_of(verdict)
        self.tally.retries += 1
        self._end(queued, batch, "pending", verdict)
        repeats.append(
            (
                time.monotonic() + policy.delay(queued.tries, fetcher._random.random),
                outcome.job,
            )
        )

    def _refuse(self, queued: QueuedCall, verdict: Verdict, batch: Batch) -> None:
        call, tally = queued.call, self.tally
        said = self.fetcher.client.without_key_text(verdict.message)
        if verdict.action is Action.STOP:
            self._end(queued, batch, "pending", verdict)
            self.stop_reason = self._refusal(call, verdict)
            return
        if verdict.action is Action.LEAVE_OUT:
            self._leave_out(queued, verdict, said, batch)
            return
        if verdict.action is Action.FAIL:
            self._end(queued, batch, "failed", verdict)
            tally.failed += 1
            self._say(f"{_named(queued)} failed: {verdict.reason} {said}")
            return
        self._end(queued, batch, "skipped", verdict)
        tally.skipped += 1
        if verdict.action is Action.PRIVATE:
            name = call.params.get("user", "")
            if name and name not in tally.private:
                tally.private.setdefault(name)
                batch.private[name] = True
                self._say(f"listener {name!r} listens in private and is skipped")
        elif verdict.action is Action.LOGIN:
            name = call.params.get("user", call.method)
            if name not in tally.login:
                tally.login.setdefault(name)
                self._say(f"{name!r} has to log in again: {verdict.reason} ({said})")
        else:
            if call.method in planning.REMEMBERED:
                batch.known.append(call)
            if call.method != "user.getFriends":  # that is how "no friends" is said
                self._say(f"{_named(queued)} is skipped: {said}")
        # An unknown artist or listener is unknown to every other method, too.
        is_whole = verdict.action is Action.PRIVATE or (
            verdict.action is Action.SKIP and call.method.endswith(".getInfo")
        )
        if is_whole and call.entity is not None:
            batch.skipped[call.entity] = (verdict.reason, verdict.code)
            for other in self.loaded.values():
                if other.call.entity == call.entity:
                    other.is_closed = True

    def _refusal(self, call: planning.Call, verdict: Verdict) -> str:
        said = self.fetcher.client.without_key_text(verdict.message)
        return (
            f"last.fm refuses {call.method} with {verdict.reason} ({said});"
            f" {_way_out(verdict.code)}"
        )

    def _leave_out(
        self, queued: QueuedCall, verdict: Verdict, said: str, batch: Batch
    ) -> None:
        """Do without a call whose method is not offered; the next run asks again.

        One that nobody gets an answer of is not asked for every artist and listener.
        """
        method, tally = queued.call.method, self.tally
        self._end(queued, batch, "failed", verdict)
        tally.failed += 1
        tally.left_out[method] += 1
        if tally.left_out[method] == 1:
            self._say(
                f"{_named(queued)} is left out: {verdict.reason} ({said});"
                " the next run asks again"
            )
        if not tally.done and sum(tally.left_out.values()) >= LEFT_OUT_TRIES:
            self.stop_reason = (
                f"last.fm refuses everything with {verdict.reason} ({said});"
                f" {_way_out(verdict.code)}"
            )
        if tally.left_out[method] == LEFT_OUT_TRIES and not tally.data[method]:
            self._say(f"{method} is left out whole: no call of it was answered")
            batch.left_out[method] = (f"{verdict.reason}: {said}"[:500], verdict.code)
            for other in self.loaded.values():
                if other.call.method == method:
                    other.is_closed = True

    def _end(
        self,
        queued: QueuedCall,
        batch: Batch,
        state: str,
        verdict: Verdict | None = None,
        total: int | None = None,
    ) -> None:
        said = None
        if verdict is not None:
            message = self.fetcher.client.without_key_text(verdict.message)
            said = f"{verdict.reason}: {message}"[:500]
        batch.endings[queued.call_id] = Ending(
            queued.call_id,
            state,
            queued.attempts,
            verdict.code if verdict else None,
            said,
            total,
        )
        if state != "pending":
            self.loaded.pop(queued.call_id, None)
            self.fetcher.answered += state in ("done", "skipped")

    # Saying ----------------------------------------------------------------------

    def _said_of(self, verdict: Verdict) -> str:
        message = self.fetcher.client.without_key_text(verdict.message)
        return f"{verdict.reason} ({message})" if message else verdict.reason

    def _say(self, text: str) -> None:
        if len(self.tally.notes) < 200:
            self.tally.notes.append(self.fetcher.client.without_key_text(text))

    def _report(self, force: bool = False) -> None:
        report = self.fetcher.progress
        now = time.monotonic()
        if report is None or (not force and now - self.last_report < 0.2):
            return
        self.last_report = now
        tally = self.tally
        report(
            Progress(
                as_of=self.day.as_of,
                done=tally.done,
                planned=tally.planned,
                requests=tally.requests,
                retries=tally.retries,
                bytes=tally.bytes,
                skipped=tally.skipped,
                failed=tally.failed,
            )
        )


def _named(queued: QueuedCall) -> str:
    params = ", ".join(f"{key}={value!r}" for key, value in queued.call.params.items())
    return f"{queued.call.method}({params})"


def _way_out(code: int | None) -> str:
    if code in (10, 13, 26):
        return "check LASTFM_API_KEY"
    return "this is a fault of this program or of LASTFM_URL"


def _days(count: int) -> timedelta:
    return timedelta(days=count)
