"""One request to last.fm, and what its answer is.

Owns the HTTP exchange and the error table. Must not decide what is asked, wait, repeat
or store: it says what an answer is, others act on it. The key goes into the body of a
POST, so no URL, log line or exception of the HTTP library can hold it.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2
import orjson

from ingest.lastfm.plan import attributes
from warehouse.names import name_key
from warehouse.redact import SHORTEST_SECRET, protect, redact

ROOT_URL = "https://ws.audioscrobbler.com/2.0/"
MAX_BODY_BYTES = 64 * 1024 * 1024


class Action(StrEnum):
    """What to do with an answer."""

    DATA = "data"
    SKIP = "skip the entity"
    PRIVATE = "skip the listener"
    LOGIN = "ask the user to log in again"
    STOP = "stop"
    LEAVE_OUT = "leave the method out"
    RETRY = "retry"
    SLOW_DOWN = "wait and slow down"
    FAIL = "fail"


# The error table of last.fm: code -> what to do. Anything else is in `_unlisted`.
ERRORS: Mapping[int, Action] = {
    2: Action.STOP,  # invalid service: our fault
    3: Action.LEAVE_OUT,  # invalid method
    5: Action.STOP,  # invalid format
    7: Action.STOP,  # invalid resource
    4: Action.LOGIN,  # authentication failed, token not issued
    9: Action.LOGIN,  # session key invalid
    14: Action.LOGIN,  # token unauthorised
    15: Action.LOGIN,  # token expired
    6: Action.SKIP,  # unknown entity, parameter out of bounds
    8: Action.RETRY,  # backend failed; deep pages: smaller pages
    10: Action.STOP,  # key invalid
    13: Action.STOP,  # signature invalid
    26: Action.STOP,  # key suspended
    11: Action.RETRY,  # offline
    16: Action.RETRY,  # temporarily unavailable
    17: Action.PRIVATE,  # private listening
    27: Action.LEAVE_OUT,  # deprecated method
    29: Action.SLOW_DOWN,  # rate limit
}
BACKEND_FAILED = 8
# last.fm decodes `artist` of these twice, so a plus would arrive as a blank.
DECODED_TWICE = frozenset(
    {"artist.getInfo", "artist.getSimilar", "artist.getTopTracks"}
)
# The two signs that decoding changes.
_ENCODED_ONCE = str.maketrans({"%": "%25", "+": "%2B"})


class TransportFailed(Exception):
    """No whole answer came: timeout, reset, refused. The text holds no secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came. `seconds` is how long it took.

    `retry_after` is for how many seconds the server does not want to be asked.
    """

    status: int
    body: bytes
    fetched_at: datetime
    seconds: float
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is. `reason` is ``data`` or why it is none."""

    action: Action
    reason: str
    code: int | None = None
    message: str = ""
    payload: Any = None


@dataclass(frozen=True)
class RetryPolicy:
    """How often and after how long a call is repeated.

    The delay before try n is drawn from first_seconds × 2^(n-2) × [1, 2). Besides the
    bound for each call there are two for the run, which grow with what it gets done:
    `floor` + `share` × requests retries, and `wait_seconds` + `wait_share` × answered
    calls seconds of waiting for a server that refuses or is down. It is taken for down
    when `outage_calls` different calls in a row fail (see ``breaker``).
    """

    tries: int = 6
    first_seconds: float = 0.5
    max_seconds: float = 60.0
    floor: int = 100
    share: float = 0.25
    wait_seconds: float = 300.0
    wait_share: float = 2.0
    outage_calls: int = 10

    def delay(self, tries: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait after `tries` failed tries; `draw` gives [0, 1)."""
        grown = self.first_seconds * 2.0 ** (tries - 1) * (1.0 + draw())
        return min(self.max_seconds, grown)

    def budget(self, requests: int) -> float:
        """How many retries a run may have made after so many requests."""
        return self.floor + self.share * requests

    def patience(self, answered: int) -> float:
        """Seconds a run may have waited when so many of its calls are answered."""
        return self.wait_seconds + self.wait_share * answered


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `total` bounds a whole answer, however slowly it drips."""

    connect: float = 10.0
    read: float = 30.0
    total: float = 120.0


def user_agent() -> str:
    """How this program names itself to last.fm."""
    try:
        release = version("scrobble-warehouse")
    except PackageNotFoundError:
        release = "0"
    return f"scrobble-warehouse/{release}"


class Client:
    """Knows the server and the key; hands out connections, one for each worker."""

    def __init__(
        self,
        url: str,
        api_key: str,
        timeouts: Timeouts | None = None,
        transport: Callable[[], httpx2.BaseTransport] | None = None,
    ) -> None:
        protect(api_key)
        self.timeouts = timeouts or Timeouts()
        self._url = url
        self._key = api_key
        self._transport = transport or self._default_transport
        self._context: ssl.SSLContext | None = None
        if self.url_of(date(2000, 1, 1)).scheme == "https":
            self._context = httpx2.create_ssl_context()
        # The key "local" of a server on this machine must not be cut out of names.
        self._secrets = {
            form.encode()
            for form in (api_key, quote_plus(api_key))
            if len(api_key) >= SHORTEST_SECRET
        }

    def url_of(self, as_of: date) -> httpx2.URL:
        """The server's root for a day."""
        return httpx2.URL(self._url.replace("{as_of}", as_of.isoformat()))

    @property
    def name(self) -> str:
        """The server's host and port: who shares a rate limit."""
        url = self.url_of(date(2000, 1, 1))
        return url.netloc.decode("ascii")

    def connect(self) -> Connection:
        """A keep-alive connection for one worker."""
        return Connection(self, self._transport())

    def _default_transport(self) -> httpx2.BaseTransport:
        # One connection a worker: the pool of a shared client is searched on each call.
        limits = httpx2.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=60.0
        )
        if self._context is None:
            return httpx2.HTTPTransport(verify=False, trust_env=False, limits=limits)
        return httpx2.HTTPTransport(verify=self._context, limits=limits)

    def form(self, method: str, params: Mapping[str, str]) -> bytes:
        """The body of the POST; decoded by the server it is `params`."""
        sent = {**params, "method": method, "format": "json", "api_key": self._key}
        if method in DECODED_TWICE and "artist" in params:
            sent["artist"] = params["artist"].translate(_ENCODED_ONCE)
        return urlencode(sent).encode()

    def without_key(self, body: bytes) -> bytes:
        """The body, unless the server echoed the key: then with the key blotted out."""
        for secret in self._secrets:
            if secret in body:
                body = body.replace(secret, b"***")
        return body

    def without_key_text(self, text: str) -> str:
        """A message that can be shown and stored."""
        text = redact(text)
        for secret in self._secrets:
            text = text.replace(secret.decode(), "***")
        return text


class Connection:
    """One worker's connection. Not to be shared between threads."""

    def __init__(self, client: Client, transport: httpx2.BaseTransport) -> None:
        self._client = client
        self._transport = transport
        self._urls: dict[date, tuple[httpx2.URL, bytes]] = {}
        self._agent = user_agent().encode()
        timeouts = client.timeouts
        self._extensions = {
            "timeout": {
                "connect": timeouts.connect,
                "read": timeouts.read,
                "write": timeouts.read,
                "pool": timeouts.connect,
            }
        }

    def ask(self, as_of: date, method: str, params: Mapping[str, str]) -> Answer:
        """Make one request and take the whole answer.

        Raises:
            TransportFailed: no whole answer came in time.
        """
        if as_of not in self._urls:
            url = self._client.url_of(as_of)
            self._urls[as_of] = (url, url.netloc)
        url, host = self._urls[as_of]
        form = self._client.form(method, params)
        started = time.monotonic()
        # The transport itself, not httpx2.Client: redirects must not be followed with
        # a key in hand, and cookies, hooks and auth cost a third of a request.
        request = httpx2.Request(
            "POST",
            url,
            headers=[
                (b"Host", host),
                (b"User-Agent", self._agent),
                (b"Accept", b"application/json"),
                (b"Accept-Encoding", b"gzip"),
                (b"Content-Type", b"application/x-www-form-urlencoded"),
                (b"Content-Length", str(len(form)).encode()),
            ],
            content=form,
            extensions=self._extensions,
        )
        try:
            response = self._transport.handle_request(request)
            response.request = request
            try:
                body = read_body(response, started + self._client.timeouts.total)
            finally:
                response.close()
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            said = self._client.without_key_text(str(error))
            raise TransportFailed(f"{type(error).__name__}: {said}") from None
        return Answer(
            status=response.status_code,
            body=self._client.without_key(body),
            fetched_at=datetime.now(UTC).replace(tzinfo=None),
            seconds=time.monotonic() - started,
            retry_after=_retry_after(response.headers),
        )

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


def read_body(
    response: httpx2.Response,
    deadline: float,
    now: Callable[[], float] = time.monotonic,
) -> bytes:
    """The whole body, within the size and the time there is.

    Raises:
        httpx2.ReadError, httpx2.ReadTimeout: it is larger, or takes longer.
    """
    pieces, size = [], 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise httpx2.ReadError(f"more than {MAX_BODY_BYTES} bytes of body")
        if now() > deadline:
            raise httpx2.ReadTimeout("the answer dripped for too long")
    return b"".join(pieces)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server wants to be asked again; None where it does not say."""
    said = headers.get("Retry-After")
    if said is None:
        return None
    try:
        if said.strip().isdigit():
            return float(said)
        until = parsedate_to_datetime(said)
        return max(0.0, until.timestamp() - time.time())
    except ValueError:
        return None


def judge(answer: Answer, params: Mapping[str, str]) -> Verdict:
    """What an answer is: the body is looked at before the status."""
    payload = _parse(answer.body)
    if isinstance(payload, dict):
        if "error" in payload:
            return _judge_error(payload, answer.status)
        if answer.status == 200:
            return _judge_data(payload, params)
    if answer.status == 429:
        return Verdict(Action.SLOW_DOWN, "status 429", message="too many requests")
    if answer.status != 200:
        return Verdict(
            Action.RETRY,
            f"status {answer.status}",
            message=f"HTTP {answer.status} without an error code",
        )
    if answer.body.lstrip()[:1] == b"<":
        return Verdict(Action.RETRY, "html", message="a page instead of JSON")
    return Verdict(Action.RETRY, "truncated", message="no whole JSON object")


def _judge_data(payload: dict[str, Any], params: Mapping[str, str]) -> Verdict:
    wanted = params.get("user")
    if wanted:
        found = attributes(payload)
        name = found.get("user") or found.get("name")
        if isinstance(name, str) and name_key(name) != name_key(wanted):
            return Verdict(
                Action.RETRY,
                "wrong user",
                message=f"rows of listener {name!r} instead of {wanted!r}",
            )
    return Verdict(Action.DATA, "data", payload=payload)


def _judge_error(payload: dict[str, Any], status: int) -> Verdict:
    said = payload.get("message")
    message = said if isinstance(said, str) else ""
    try:
        code = int(payload["error"])
    except (TypeError, ValueError):
        return Verdict(Action.RETRY, "error ?", message=message)
    action = ERRORS.get(code) or _unlisted(status)
    return Verdict(action, f"error {code}", code, message)


def _unlisted(status: int) -> Action:
    """A code that is not in the table: the status says whose fault it is."""
    if status == 429:
        return Action.SLOW_DOWN
    return Action.RETRY if status >= 500 else Action.FAIL


def _parse(body: bytes) -> Any:
    """The body's JSON, or None when it is none."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    # Whole answers with broken text inside (lone surrogates, control characters, bytes
    # that are no UTF-8) are data: what cannot be loaded of them is a dead letter.
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
