"""Rate limits: how often one caller may ask one route, counted in each process.

Owns where counts are kept and whom they count; windows and the words for a limit are
the library's.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

from flask import Flask, request
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from serve.problems import Problem

_UNLIMITED = ("/health", "/ready", "/static/")
_SWEEP_SECONDS = 60.0


def install(app: Flask, limit: str, of_blueprints: Mapping[str, str]) -> None:
    """Refuse a caller who asks one route more often than `limit` (`1200 per minute`).

    `of_blueprints` has the limits of blueprints, by name, that differ.
    """
    limiter = FixedWindowRateLimiter(Counts())
    usual = parse_many(limit)
    special = {name: parse_many(text) for name, text in of_blueprints.items()}

    @app.before_request
    def _count() -> None:
        if request.path.startswith(_UNLIMITED):
            return
        whom = (request.endpoint or "", request.remote_addr or "unknown")
        for item in special.get(request.blueprint or "", usual):
            if not limiter.hit(item, *whom):
                until = limiter.get_window_stats(item, *whom).reset_time
                wait = str(max(1, math.ceil(until - time.time())))
                raise Problem(
                    "rate_limited",
                    f"{item} is allowed here; ask again in {wait} s",
                    headers={"Retry-After": wait},
                )


class Counts(MemoryStorage):
    """The library's memory of fixed windows without its thread at every request.

    That one starts a timer in a thread of its own whenever it counts, which costs more
    than the rest of a small answer; here expired counts go once a minute, in passing.
    """

    STORAGE_SCHEME = ["counts"]  # noqa: RUF012 (as the base class)

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
