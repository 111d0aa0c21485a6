"""Rate limits: how often one caller may ask one route, counted in each process.

Owns where counts are kept and whom they count; windows and the words for a limit are
the library's. A caller is an account where one asks, so that people behind one address
do not share a limit, and else an address: the one that the trusted proxies say, or that
of the connection. All that is asked from one address counts for it too, by a limit that
is some accounts high, so that no cookie or token has to be looked up without one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from flask import Flask, request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from serve.problems import Problem

_UNLIMITED = ("/health", "/ready", "/static/")
_SWEEP_SECONDS = 60.0
# Limits that one address may use up with accounts of many people behind it.
_ACCOUNTS_OF_AN_ADDRESS = 20

Network = IPv4Network | IPv6Network


def install(
    app: Flask,
    limit: str,
    of_blueprints: Mapping[str, str],
    proxies: Sequence[str] = (),
    account: Callable[[], object | None] = lambda: None,
) -> None:
    """Refuse a caller who asks one route more often than `limit` (`1200 per minute`).

    Args:
        of_blueprints: the limits of blueprints, by name, that differ.
        proxies: addresses and networks whose `X-Forwarded-For` is believed.
        account: the key of the account that asks, or None for a visitor.
    """
    limiter = FixedWindowRateLimiter(Counts())
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
            if not limiter.hit(item, *counted_for):
                window = limiter.get_window_stats(item, *counted_for)
                wait = str(max(1, math.ceil(window.reset_time - time.time())))
                raise Problem(
                    "rate_limited",
                    f"{item} is allowed here; ask again in {wait} s",
                    headers={"Retry-After": wait},
                )


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
