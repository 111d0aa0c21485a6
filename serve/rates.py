"""Counts of requests for the rate limits, in the memory of one process.

Owns only where counts are kept; the limits themselves are flask-limiter's.
"""

from __future__ import annotations

import threading
import time

from limits.storage import MemoryStorage

SCHEME = "counts"
_SWEEP_SECONDS = 60.0


class Counts(MemoryStorage):
    """The library's memory of fixed windows without its thread at every request.

    That one starts a timer in a thread of its own whenever it counts, which costs more
    than the rest of a small answer; here expired counts go once a minute, in passing.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 (as the base class)

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, **options: str
    ) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._counting = threading.Lock()
        self._sweep_at = time.time() + _SWEEP_SECONDS

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; gives the count in the window that ends `expiry` s after its first."""
        now = time.time()
        with self._counting:
            if now >= self._sweep_at:
                self._sweep(now)
            if self.expirations.get(key, 0) <= now:
                self.storage.pop(key, None)
                self.expirations[key] = now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + _SWEEP_SECONDS
        for key in [key for key, end in self.expirations.items() if end <= now]:
            self.clear(key)
