"""The circuit breaker that the fetch's workers share.

Owns whether the server is taken for down. Must not speak to it, and must not decide
which verdicts are failures or when a run gives up: it says for how long it was open.

Closed, every request may start. When enough different calls in a row fail, it opens:
nobody asks. After a wait one request may try, the probe; if it fails the wait doubles,
and whatever is answered closes the breaker. Calls are counted, not requests, because
one that always fails says nothing of the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Shared by the threads of one fetch.

    `calls` in a row open it; the wait before a probe doubles from `first_seconds` to
    `max_seconds`; `now` is the local clock in seconds.
    """

    def __init__(
        self,
        calls: int,
        first_seconds: float,
        max_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds
        self._now = now
        self._changed = threading.Condition()
        self._failed: set[str] = set()
        self._opened_at: float | None = None
        self._seconds_before = 0.0  # of earlier times it was open
        self._delay = first_seconds
        self._probe_at = 0.0
        self._probe: str | None = None
        self._is_stopped = False

    @property
    def is_open(self) -> bool:
        """Whether the server is taken for down."""
        return self._opened_at is not None

    @property
    def seconds_open(self) -> float:
        """For how long it has been open, all times together."""
        opened_at = self._opened_at
        now = 0.0 if opened_at is None else self._now() - opened_at
        return self._seconds_before + now

    def admits(self, call_id: str) -> bool:
        """Whether this call's request may start: all is well, or it is the probe."""
        with self._changed:
            if self._opened_at is None:
                return True
            if self._probe is not None or self._now() < self._probe_at:
                return False
            self._probe = call_id
            return True

    def wait(self) -> bool:
        """Wait until it makes sense to ask again; False when stopped."""
        with self._changed:
            while self._opened_at is not None and not self._is_stopped:
                left = self._probe_at - self._now()
                if self._probe is None and left <= 0:
                    break
                self._changed.wait(left if self._probe is None else None)
            return not self._is_stopped

    def answered(self) -> None:
        """The server answered a request, whatever it said."""
        with self._changed:
            self._failed.clear()
            if self._opened_at is not None:
                self._seconds_before += self._now() - self._opened_at
                self._opened_at = self._probe = None
                self._delay = self._first_seconds
                self._changed.notify_all()

    def failed(self, call_id: str) -> None:
        """A request of this call failed as it does when the server is down."""
        with self._changed:
            self._failed.add(call_id)
            if self._opened_at is None:
                if len(self._failed) >= self._calls:
                    self._opened_at = self._now()
                    self._probe_at = self._opened_at + self._delay
            elif call_id == self._probe:
                self._probe = None
                self._delay = min(self._max_seconds, 2 * self._delay)
                self._probe_at = self._now() + self._delay
                self._changed.notify_all()

    def stop(self) -> None:
        """Let every waiting thread go."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
