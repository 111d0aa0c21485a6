"""One question to ListenBrainz, asked until it is answered or patience ends.

Owns the HTTP exchange, what an answer is, repeats and rests. Must not decide what is
asked or store. The token goes into a header, and no message can hold it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import httpx2
import orjson

from ingest.lastfm.client import (
    RetryPolicy,
    Timeouts,
    read_body,
    user_agent,
)
from warehouse.errors import FetchFailed, SettingsError
from warehouse.redact import protect, redact

ROOT_URL = "https://api.listenbrainz.org"
PAGE_LISTENS = 1000
"""The most that one answer gives (MAX_ITEMS_PER_GET)."""
LONGEST_REST_SECONDS = 3600.0


class AccountLeftOut(Exception):
    """This account gives nothing: unknown, not allowed, or answered with nonsense."""


class ServerGivenUp(FetchFailed):
    """ListenBrainz is down or refuses for longer than the run is patient."""


@dataclass(frozen=True, slots=True)
class Listens:
    """An answer as it came, and what the walk needs of it.

    times: when its listens began, as answered; oldest: of the account's first listen,
    None where the answer does not say.
    """

    body: bytes
    fetched_at: datetime
    times: tuple[int, ...]
    oldest: int | None


@dataclass
class Client:
    """Knows the server and the token; asks one thing at a time.

    `wait` sleeps, `now` is a clock in seconds; `policy` bounds repeats and waiting of
    all that this client asks.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    transport: httpx2.BaseTransport | None = None
    wait: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    requests: int = 0
    retries: int = 0
    answered: int = 0
    body_bytes: int = 0
    waited: float = 0.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                f"listenbrainz_url {self.url!r} must be like {ROOT_URL}"
            )
        if self.token is not None:
            protect(self.token)
            if not self.token.isascii() or not self.token.isprintable():
                raise SettingsError("listenbrainz_token holds what no header can")
        self._rest_until = 0.0
        headers = {"User-Agent": user_agent(), "Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Token {self.token}"
        # Redirects must not be followed with a token in hand.
        self._http = httpx2.Client(
            headers=headers,
            follow_redirects=False,
            transport=self.transport,
            timeout=httpx2.Timeout(self.timeouts.read, connect=self.timeouts.connect),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def listens(self, account: str, params: Mapping[str, int]) -> Listens:
        """A page of an account's listens, the newest first.

        Raises:
            AccountLeftOut: no repeat would give this account's listens.
            ServerGivenUp: the server gives nobody's.
        """
        path = f"/1/user/{quote(account, safe='')}/listens"
        tries = 0
        while True:
            tries += 1
            self._keep_rest()
            reason, rest, is_nonsense = "", None, False
            self.requests += 1
            try:
                status, headers, body = self._get(path, params)
            except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
                reason = f"{type(error).__name__}: {redact(str(error))}"
            else:
                self._note_limit(headers)
                if status == 200:
                    found = _read(body, account)
                    if isinstance(found, Listens):
                        self.answered += 1
                        self.body_bytes += len(body)
                        return found
                    reason, is_nonsense = found, True
                elif status == 429 or status >= 500:
                    reason = f"HTTP {status}"
                    rest = _rest_of(headers)
                else:
                    raise AccountLeftOut(_refusal(status))
            try:
                self._repeat(tries, reason, rest)
            except ServerGivenUp as error:
                if is_nonsense:
                    raise AccountLeftOut(reason) from error
                raise

    def _get(
        self, path: str, params: Mapping[str, int]
    ) -> tuple[int, httpx2.Headers, bytes]:
        """Status, headers and the whole body, within the time and size there is."""
        deadline = self.now() + self.timeouts.total
        url = self.url.rstrip("/") + path
        with self._http.stream("GET", url, params=dict(params)) as response:
            body = read_body(response, deadline, self.now)
            return response.status_code, response.headers, body

    def _note_limit(self, headers: httpx2.Headers) -> None:
        """Ask no more before the window ends in which nothing is left."""
        if headers.get("X-RateLimit-Remaining", "").strip() == "0":
            seconds = _seconds(headers, "X-RateLimit-Reset-In")
            if seconds is not None:
                self._rest_until = self.now() + seconds

    def _keep_rest(self) -> None:
        self._rest(self._rest_until - self.now())

    def _repeat(self, tries: int, reason: str, rest: float | None) -> None:
        """Rest before another try.

        Raises:
            ServerGivenUp: there were enough of them.
        """
        if tries >= self.policy.tries or self.retries + 1 > self.policy.budget(
            self.requests
        ):
            raise ServerGivenUp(f"it does not answer: {reason} ({tries} tries)")
        self.retries += 1
        self._rest(self.policy.delay(tries) if rest is None else rest)

    def _rest(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if self.waited + seconds > self.policy.patience(self.answered):
            raise ServerGivenUp(f"it wants to be left alone for {seconds:,.0f} s more")
        self.waited += seconds
        self.wait(seconds)


def _rest_of(headers: httpx2.Headers) -> float | None:
    """For how long the server does not want to be asked."""
    for name in ("X-RateLimit-Reset-In", "Retry-After"):
        seconds = _seconds(headers, name)
        if seconds is not None:
            return seconds
    return None


def _seconds(headers: httpx2.Headers, name: str) -> float | None:
    """A header of whole or broken seconds, within reason; None for anything else."""
    try:
        seconds = float(headers.get(name, ""))
    except ValueError:
        return None
    # A number that is none compares false.
    return min(seconds, LONGEST_REST_SECONDS) if seconds >= 0 else None


def _read(body: bytes, account: str) -> Listens | str:
    """The page, or why the body is none."""
    try:
        payload = orjson.loads(body)["payload"]
        listens = payload["listens"]
        of = payload.get("user_id")
        times = tuple(
            at for one in listens if type(at := one.get("listened_at")) is int
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return "no page of listens"
    if isinstance(of, str) and of.casefold() != account.casefold():
        return "listens of another account"
    if listens and not times:
        return "no page of listens"
    oldest = payload.get("oldest_listen_ts")
    return Listens(
        body=body,
        fetched_at=datetime.now(UTC).replace(tzinfo=None),
        times=times,
        oldest=oldest if type(oldest) is int and oldest > 0 else None,
    )


def _refusal(status: int) -> str:
    """Why an account gives nothing, in words of ours: the server's may name it."""
    if status == 404:
        return "there is no such account"
    if status in (401, 403):
        return f"the token is refused (HTTP {status})"
    if 300 <= status < 400:
        return f"it was sent elsewhere (HTTP {status})"
    return f"it is refused (HTTP {status})"
