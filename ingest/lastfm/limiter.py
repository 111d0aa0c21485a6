"""One rate limit for all workers and all processes.

Owns the row of the ops database that holds the next free slot, on the database's clock.
Slots are taken a few at a time, so that the database is asked four times a second at
most. A slot is a moment before which its request must not start.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, Select, select, update

from ingest.lastfm.queue import fetch_limits, insert_new, metadata
from warehouse import ops

BATCH_SECONDS = 0.25
# A local server's rate is not meant to be reached: fewer transactions count more.
FAST_RATE = 250.0
FAST_BATCH_SECONDS = 1.0
# After a rate limit error (29 or HTTP 429): how long nobody asks, how far the rate may
# fall, and after how long without an error it doubles again.
PENALTY_SECONDS = 30.0
LOWEST_FACTOR = 1 / 8
RECOVERY_SECONDS = 300.0
# A server may ask for another rest than the penalty, within reason.
SHORTEST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 3600.0


class Limiter:
    """Hands out slots. Shared by the threads of a process.

    `now` is the local clock in seconds (monotonic), `wait` sleeps and says whether the
    sleep was cut short by a stop; `database_now` replaces the database's clock.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        rate: float,
        *,
        penalty_seconds: float = PENALTY_SECONDS,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        database_now: Callable[[Connection], float] = ops.database_now,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"a rate of {rate} requests a second is none")
        self.engine = engine
        self.name = name
        self.rate = rate
        self.penalty_seconds = penalty_seconds
        self.batch_seconds = BATCH_SECONDS if rate <= FAST_RATE else FAST_BATCH_SECONDS
        self._now = now
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._database_now = database_now
        self._lock = threading.Lock()
        self._slots: deque[float] = deque()
        self._generation = 0
        self._slowed_at = float("-inf")
        self._rested_until = 0.0  # on the database's clock
        self.seconds_rested = 0.0
        ops.ensure_tables(engine, metadata)
        with engine.begin() as connection:
            connection.execute(
                insert_new(connection, fetch_limits),
                {
                    "name": name,
                    "next_slot": 0.0,
                    "blocked_until": 0.0,
                    "slowed_at": 0.0,
                    "factor": 1.0,
                },
            )

    def acquire(self) -> bool:
        """Wait for a slot; False when stopped before it came."""
        while not self._stop.is_set():
            with self._lock:
                slot = self._take()
                generation = self._generation
            delay = slot - self._now()
            if delay > 0 and self._wait(delay):
                return False
            with self._lock:
                if generation == self._generation:
                    return True
                # Slowed down meanwhile: the slot is void.
        return False

    def stop(self) -> None:
        """Let every waiting thread go."""
        self._stop.set()

    def slow_down(self, sent_at: float, seconds: float | None = None) -> float:
        """A request sent at `sent_at` (local clock) met the limit: everybody waits.

        All processes rest, for the penalty or for the `seconds` the server asked for,
        and go on at half the rate. Requests that were under way when the limit was met
        count once. Returns the seconds to rest.
        """
        rest = self.penalty_seconds
        if seconds is not None:
            shortest = min(SHORTEST_REST_SECONDS, rest)
            rest = min(LONGEST_REST_SECONDS, max(shortest, seconds))
        with self._lock:
            if sent_at < self._slowed_at:
                return rest
            with self.engine.begin() as connection:
                row = connection.execute(self._row().with_for_update()).one()
                database = self._database_now(connection)
                until = max(row.blocked_until, database + rest)
                connection.execute(
                    update(fetch_limits)
                    .where(fetch_limits.c.name == self.name)
                    .values(
                        next_slot=until,
                        blocked_until=until,
                        slowed_at=database,
                        factor=max(LOWEST_FACTOR, row.factor / 2),
                    )
                )
            self._count_rest(until, database)
            self._slots.clear()
            self._generation += 1
            self._slowed_at = self._now()
            return float(until - database)

    def _take(self) -> float:
        # A slot may be used late, but not saved up: that would be a burst.
        lapsed = self._now() - self.batch_seconds
        while self._slots and self._slots[0] < lapsed:
            self._slots.popleft()
        if not self._slots:
            self._reserve()
        return self._slots.popleft()

    def _reserve(self) -> None:
        with self.engine.begin() as connection:
            row = connection.execute(self._row().with_for_update()).one()
            database = self._database_now(connection)
            local = self._now()
            factor = float(row.factor)
            slowed_at = float(row.slowed_at)
            if factor < 1 and database - slowed_at > RECOVERY_SECONDS:
                factor, slowed_at = min(1.0, factor * 2), database
            interval = 1 / (self.rate * factor)
            count = max(1, int(self.batch_seconds / interval))
            # A clock that was set back must not block for longer than it takes.
            ahead = max(60.0, 2 * self.penalty_seconds)
            next_slot = min(row.next_slot, database + ahead)
            first = max(next_slot, row.blocked_until, database)
            self._count_rest(float(row.blocked_until), database)
            connection.execute(
                update(fetch_limits)
                .where(fetch_limits.c.name == self.name)
                .values(
                    next_slot=first + count * interval,
                    factor=factor,
                    slowed_at=slowed_at,
                )
            )
        start = local + first - database
        self._slots.extend(start + number * interval for number in range(count))

    def _count_rest(self, until: float, database: float) -> None:
        """Add a rest to `seconds_rested` once, whichever process has to thank for it.

        It counts when it begins, so a run that may not wait that long never does.
        """
        self.seconds_rested += max(0.0, until - max(database, self._rested_until))
        self._rested_until = max(until, self._rested_until)

    def _row(self) -> Select[Any]:
        return select(fetch_limits).where(fetch_limits.c.name == self.name)
