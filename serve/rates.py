"""Rate limits: how often one caller may ask one route, counted over all workers.

Owns where counts are kept and whom they count; windows and the words for a limit are
the library's. A caller is an account where one asks, so that people behind one address
do not share a limit, and else an address: the one that the trusted proxies say, or that
of the connection. All that is asked from one address counts for it too, by a limit that
is some accounts high, so that no cookie or token has to be looked up without one.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from flask import Flask, request
from limits import RateLimitItem, parse_many
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from serve.problems import Problem
from serve.shared_cache import PATIENCE, PAUSE

log = logging.getLogger(__name__)

_UNLIMITED = ("/health", "/ready", "/static/")
_SWEEP_SECONDS = 60.0
# Limits that one address may use up with accounts of many people behind it.
_ACCOUNTS_OF_AN_ADDRESS = 20

_COUNT = """
    insert into counts (key, hits, expires) values (?, ?, ?)
    on conflict (key) do update set
        hits = excluded.hits + case when expires > ? then hits else 0 end,
        expires = case when expires > ? then expires else excluded.expires end
    returning hits
"""

Network = IPv4Network | IPv6Network


def install(
    app: Flask,
    limit: str,
    of_blueprints: Mapping[str, str],
    proxies: Sequence[str] = (),
    account: Callable[[], object | None] = lambda: None,
    counts: Storage | None = None,
) -> None:
    """Refuse a caller who asks one route more often than `limit` (`1200 per minute`).

    Args:
        of_blueprints: the limits of blueprints, by name, that differ.
        proxies: addresses and networks whose `X-Forwarded-For` is believed.
        account: the key of the account that asks, or None for a visitor.
        counts: where requests are counted; None for this process alone.
    """
    limiter = _Limiter(counts or Counts())
    usual = _Limits(limit)
    special = {name: _Limits(text) for name, text in of_blueprints.items()}
    trusted = [ip_network(name) for name in proxies]

    @app.before_request
    def _count() -> None:
        if request.path.startswith(_UNLIMITED):
            return
        limits = special.get(request.blueprint or "", usual)
        address = caller(
            request.remote_addr, request.headers.getlist("X-Forwarded-For"), trusted
        )
        has_secret = "Authorization" in request.headers or bool(request.cookies)
        if not has_secret:
            _hit(limits.of_one, "address", address)
            return
        _hit(limits.of_many, "many", address)
        key = account()
        whom = ("address", address) if key is None else ("account", str(key))
        _hit(limits.of_one, *whom)

    def _hit(items: Sequence[RateLimitItem], *whom: str) -> None:
        counted_for = (request.endpoint or "", *whom)
        for item in items:
            reset_time = limiter.hit(item, *counted_for)
            if reset_time is not None:
                wait = str(max(1, math.ceil(reset_time - time.time())))
                raise Problem(
                    "rate_limited",
                    f"{item} is allowed here; ask again in {wait} s",
                    headers={"Retry-After": wait},
                )


class _Limiter:
    """Counts in a storage, and in this process's own while that cannot be reached."""

    def __init__(self, storage: Storage) -> None:
        self._chosen = FixedWindowRateLimiter(storage)
        self._errors = storage.base_exceptions
        self._own = FixedWindowRateLimiter(Counts())
        self._silent_until = 0.0

    def hit(self, item: RateLimitItem, *whom: str) -> float | None:
        """Count; gives when the window ends where that was one too many."""
        if time.monotonic() >= self._silent_until:
            try:
                return self._hit(self._chosen, item, whom)
            except self._errors as error:
                self._silent_until = time.monotonic() + PAUSE
                log.warning("each worker counts alone for %.0f s: %s", PAUSE, error)
        return self._hit(self._own, item, whom)

    def _hit(
        self, limiter: FixedWindowRateLimiter, item: RateLimitItem, whom: Sequence[str]
    ) -> float | None:
        if limiter.hit(item, *whom):
            return None
        return limiter.get_window_stats(item, *whom).reset_time


def storage(cache_url: str | None, run_dir: Path | None) -> Storage:
    """Where requests are counted: for all machines, one service, or this process."""
    if cache_url is None:
        return Counts(run_dir and run_dir / "counts.sqlite")
    timeout = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    shared = storage_from_string(cache_url, **timeout)
    assert isinstance(shared, Storage)
    return shared


class _Limits:
    """The limits of one caller, and of an address with many of them behind it."""

    def __init__(self, text: str) -> None:
        self.of_one = parse_many(text)
        self.of_many = [
            type(item)(
                item.amount * _ACCOUNTS_OF_AN_ADDRESS, item.multiples, item.namespace
            )
            for item in self.of_one
        ]


def caller(
    connected: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> str:
    """The address that a request is counted for.

    Args:
        connected: the other end of the connection.
        forwarded: the `X-Forwarded-For` headers; only what trusted proxies wrote in
            them counts, from the end: anybody can send one.
        trusted: the proxies.

    Returns:
        An address; of IPv6 the network of 64 bits that one household or machine has.
    """
    found = connected or "unknown"
    names = [part.strip() for line in forwarded for part in line.split(",")]
    for name in reversed(names):
        if not _is_in(found, trusted):
            break
        try:
            found = str(ip_address(name))
        except ValueError:
            break
    try:
        address = ip_address(found)
    except ValueError:
        return found
    if address.version == 6:
        return str(ip_network((address, 64), strict=False))
    return found


def _is_in(name: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return any(address in network for network in networks)


class Counts(Storage):
    """Counts of fixed windows, in a table that the workers of one service share.

    Nothing in it has to survive: it is never flushed to the disk, and whoever cannot
    count for a second (another worker holds the table) lets the request pass.

    Args:
        file: of the table; None for one of this process alone.
    """

    STORAGE_SCHEME = None

    def __init__(self, file: Path | None = None) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self._sweep_at = time.time() + _SWEEP_SECONDS
        self._table = sqlite3.connect(
            file or ":memory:",
            timeout=1.0,
            isolation_level=None,
            check_same_thread=False,
        )
        self._table.execute("pragma synchronous = off")
        self._table.execute("pragma journal_mode = memory")
        self._table.execute(
            "create table if not exists counts (key text primary key, hits integer,"
            " expires real) without rowid"
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; gives the count in the window that ends `expiry` s after its first."""
        now = time.time()
        with self._counting:
            if now >= self._sweep_at:
                self._sweep_at = now + _SWEEP_SECONDS
                self._ask("delete from counts where expires <= ?", now)
            return self._ask(_COUNT, key, amount, now + expiry, now, now) or 0

    def get(self, key: str) -> int:
        with self._counting:
            return self._ask("select hits from counts where key = ?", key) or 0

    def get_expiry(self, key: str) -> float:
        with self._counting:
            found = self._ask("select expires from counts where key = ?", key)
        return found or time.time()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with self._counting:
            self._ask("delete from counts")
        return None

    def clear(self, key: str) -> None:
        with self._counting:
            self._ask("delete from counts where key = ?", key)

    def _ask(self, statement: str, *binds: Any) -> Any:
        try:
            row = self._table.execute(statement, binds).fetchone()
        except sqlite3.OperationalError as error:
            log.warning("a request was not counted: %s", error)
            return None
        return row[0] if row else None
