"""The cache in front of Flask: ready bytes for what was asked before.

Owns keys, bounds, conditional answers and the counts. An entry belongs to one version
and one generation; when either moves, everything is dropped. Only answers that said
they are public come in. A hit must cost what a bare WSGI app with ready bytes costs, so
nothing here parses, logs or locks before the entry is found.
"""

from __future__ import annotations

import gzip
import logging
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from werkzeug.http import parse_accept_header

from serve.shared_cache import Answer, SharedCache
from serve.store.contract import Store, StoreUnavailable

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

#: An answer sets this key of the environ to its version to be kept.
PUBLIC = "serve.public_version"
#: Stands in the environ of a question that can be asked again if the version moves,
#: with whether it did.
REPEATABLE = "serve.repeatable"
#: The format asked for, by `format` in the query or by the suffix of the path.
FORMAT = "serve.format"
#: Stands in the environ where `format` in the query asked.
FORMAT_IN_QUERY = "serve.format_in_query"
SUFFIXES = {".json": "json", ".csv": "csv", ".ndjson": "ndjson", ".parquet": "parquet"}

_OVERHEAD = 1024  # of one entry beside its bodies: headers, keys, objects
_SMALL = 1024  # below this gzip saves nothing
_KEYS = 20_000


class Entry:
    """One ready answer."""

    __slots__ = (
        "body",
        "etag",
        "headers",
        "keys",
        "not_modified",
        "packed",
        "size",
        "stored",
        "version",
    )

    def __init__(
        self, version: str, etag: str, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        self.version = version
        self.etag = etag
        self.body = body
        self.packed: tuple[list[tuple[str, str]], bytes] | None = None
        self.headers = headers
        kept = ("etag", "cache-control", "vary", "access-control-allow-origin")
        self.not_modified = [
            item for item in headers if item[0].lower() in kept or item[0][:2] == "X-"
        ]
        self.stored = time.monotonic()
        self.size = len(body) + _OVERHEAD
        self.keys: list[str] = []

    def gzipped(self) -> tuple[list[tuple[str, str]], bytes]:
        """The headers and body for a client that takes gzip; packed at first use."""
        if self.packed is None:
            body = gzip.compress(self.body, compresslevel=5, mtime=0)
            headers = [
                item
                for item in self.headers
                if item[0].lower() not in ("content-length", "etag")
            ]
            headers += [
                ("Content-Encoding", "gzip"),
                ("Content-Length", str(len(body))),
                ("ETag", f'{self.etag[:-1]}-gz"'),
            ]
            self.packed = (headers, body)
        return self.packed


class Cache:
    """A WSGI application: answers from memory, or asks `app` and remembers."""

    def __init__(
        self,
        app: WsgiApp,
        store: Store,
        limit_bytes: int,
        told: Sequence[Callable[[str], None]] = (),
        shared: SharedCache | None = None,
        is_admin: Callable[[Environ], bool] = lambda _: False,
    ) -> None:
        self._told = told
        self._shared = shared
        self._is_admin = is_admin
        self.app = app
        self._store = store
        self._limit = limit_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._state: tuple[str, str] = ("", "")
        self._lock = threading.Lock()
        self.started = time.time()
        self.counts: Counter[str] = Counter()

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            self._count("uncacheable")
            return self._ask(environ, start_response)
        path = environ.get("PATH_INFO", "")
        query = environ.get("QUERY_STRING", "")
        key = f"{path}?{query}"
        is_down = not self._follow()
        entry = self._entries.get(key)
        if entry is None and query:
            entry = self._find_canonical(path, query, key)
        is_fresh_wanted = self._wants_fresh(environ)
        if entry is None and self._shared is not None and not is_fresh_wanted:
            entry = self._find_shared(path, query, key)
        if entry is not None and not is_fresh_wanted:
            return self._hit(entry, environ, start_response, key, is_down)
        self._count("misses")
        if method == "HEAD":
            return self._ask(environ, start_response)
        return self._fill(environ, start_response, path, query, key)

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        for tell in self._told:
            tell(outcome)

    def _follow(self) -> bool:
        """Drop everything when the pointer or the generation moved; False when down."""
        try:
            state = self._store.state()
        except StoreUnavailable:
            return False
        if state != self._state:
            with self._lock:
                if state != self._state:
                    self.counts["drops"] += bool(self._entries)
                    self._entries.clear()
                    self._bytes = 0
                    self._state = state
        return True

    def _wants_fresh(self, environ: Environ) -> bool:
        """Whether an administrator asks past all caches; others' wish is not heard."""
        asked = environ.get("HTTP_CACHE_CONTROL", "")
        return "no-cache" in asked and self._is_admin(environ)

    def _find_shared(self, path: str, query: str, key: str) -> Entry | None:
        """An answer that another machine made; kept here from now on."""
        assert self._shared is not None
        state, canonical = self._state, _canonical(path, query)
        found = self._shared.get(state, canonical)
        if found is None:
            return None
        self._count("shared_hits")
        entry = Entry(state[0], found.etag, found.headers, found.body)
        self._keep(entry, state[1], canonical, key)
        return entry

    def _find_canonical(self, path: str, query: str, key: str) -> Entry | None:
        entry = self._entries.get(_canonical(path, query))
        if entry is not None:
            with self._lock:
                if len(self._entries) < _KEYS and len(entry.keys) < 8:
                    self._entries[key] = entry
                    entry.keys.append(key)
        return entry

    def _hit(
        self,
        entry: Entry,
        environ: Environ,
        start_response: StartResponse,
        key: str,
        is_down: bool,
    ) -> Iterable[bytes]:
        self._count("hits")
        # Another thread may have evicted it; the entry in hand is still good.
        try:  # noqa: SIM105 - suppress() costs as much as the rest
            self._entries.move_to_end(key)
        except KeyError:
            pass
        age = ("Age", str(int(time.monotonic() - entry.stored)))
        given = environ.get("HTTP_IF_NONE_MATCH")
        if given is not None and _matches(given, entry.etag):
            self._count("not_modified")
            start_response("304 NOT MODIFIED", [*entry.not_modified, age])
            return (b"",)
        headers, body = entry.headers, entry.body
        if len(body) > _SMALL and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers, body = entry.gzipped()
        extra = [age, ("Warning", '110 - "Response is Stale"')] if is_down else [age]
        start_response("200 OK", headers + extra)
        return (b"",) if environ["REQUEST_METHOD"] == "HEAD" else (body,)

    def _fill(
        self,
        environ: Environ,
        start_response: StartResponse,
        path: str,
        query: str,
        key: str,
    ) -> Iterable[bytes]:
        generation = self._state[1]
        held: list[Any] = []

        def hold(status: str, headers: list[tuple[str, str]], exc: Any = None) -> None:
            held[:] = [status, headers, exc]

        asked = {**environ, REPEATABLE: False}
        chunks = self._ask(asked, hold)
        if asked[REPEATABLE]:
            asked = environ
            chunks = self._ask(asked, hold)
        status, headers, exc = held
        version = asked.get(PUBLIC)
        if version is None or status[:3] != "200" or exc is not None:
            start_response(status, headers, exc)
            return chunks
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        etag = next((value for name, value in headers if name == "ETag"), "")
        entry = Entry(str(version), etag, list(headers), body)
        canonical = _canonical(path, query)
        self._keep(entry, generation, canonical, key)
        if self._shared is not None:
            answer = Answer(etag, entry.headers, body)
            self._shared.put((entry.version, generation), canonical, answer)
        given = environ.get("HTTP_IF_NONE_MATCH")
        if given is not None and _matches(given, etag):
            self._count("not_modified")
            start_response("304 NOT MODIFIED", entry.not_modified)
            return (b"",)
        if len(body) > _SMALL and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers, body = entry.gzipped()
        start_response(status, headers)
        return (body,)

    def _keep(self, entry: Entry, generation: str, *keys: str) -> None:
        if entry.size * 8 > self._limit:
            self.counts["too_large"] += 1
            return
        with self._lock:
            # The pointer may have moved while the answer was made.
            if (entry.version, generation) != self._state:
                return
            entry.keys = list(dict.fromkeys(keys))
            # The packed body comes later; its room is taken now.
            entry.size += sum(map(len, entry.keys)) + len(entry.body)
            for key in entry.keys:
                if (old := self._entries.pop(key, None)) is not None:
                    self._forget(old)
                self._entries[key] = entry
            self._bytes += entry.size
            while self._entries and (
                self._bytes > self._limit or len(self._entries) > _KEYS
            ):
                _, oldest = self._entries.popitem(last=False)
                self._forget(oldest)
                self.counts["evictions"] += 1

    def _forget(self, entry: Entry) -> None:
        for key in entry.keys:
            if self._entries.get(key) is entry:
                del self._entries[key]
        if entry.keys:
            self._bytes -= entry.size
            entry.keys = []

    def _ask(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Ask the application; what asks for a format is taken out of the address."""
        if environ.get("PATH_INFO", "").startswith("/api/"):
            _take_format(environ)

        def count(status: str, headers: Any, exc: Any = None) -> Any:
            if not environ.get(REPEATABLE):
                self.counts[f"status_{status[0]}xx"] += 1
            return start_response(status, headers, exc)

        return self.app(environ, count)

    def statistics(self) -> dict[str, Any]:
        """Counts since this worker started, and what the cache holds."""
        counts = self.counts
        asked = counts["hits"] + counts["misses"]
        return {
            "process": os.getpid(),
            "uptime_seconds": int(time.time() - self.started),
            "requests": asked + counts["uncacheable"],
            "hits": counts["hits"],
            "misses": counts["misses"],
            "not_modified": counts["not_modified"],
            "evictions": counts["evictions"],
            "drops": counts["drops"],
            "answers_2xx": counts["hits"]
            - counts["not_modified"]
            + counts["status_2xx"],
            "answers_4xx": counts["status_4xx"],
            "answers_5xx": counts["status_5xx"],
            "cache_entries": len({id(entry) for entry in list(self._entries.values())}),
            "cache_bytes": self._bytes,
            "cache_limit_bytes": self._limit,
        }


def _take_format(environ: Environ) -> None:
    """Note the format that an address asks for, `?format=csv` or `.csv`.

    Of both the one in the query stays there, to be refused like any parameter that is
    not known. Whether there is such a format is the application's matter.
    """
    head, dot, ending = environ["PATH_INFO"].rpartition(".")
    if dot and (asked := SUFFIXES.get(f".{ending}")) is not None:
        environ["PATH_INFO"] = head
        environ[FORMAT] = asked
        return
    query = environ.get("QUERY_STRING", "")
    if "format=" not in query:
        return
    pairs = parse_qsl(query, keep_blank_values=True)
    formats = [value for name, value in pairs if name == "format"]
    if len(formats) == 1:
        others = [(name, value) for name, value in pairs if name != "format"]
        environ["QUERY_STRING"] = urlencode(others)
        environ[FORMAT] = formats[0]
        environ[FORMAT_IN_QUERY] = True


def _canonical(path: str, query: str) -> str:
    """One key for all orders and spellings of a query."""
    if len(query) > 4096:
        return f"{path}?{query}"
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return f"{path}??{urlencode(pairs)}"


@lru_cache(maxsize=256)
def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding takes gzip: `gzip;q=0` and `identity` do not."""
    return bool(parse_accept_header(accepted).quality("gzip") > 0)


def _matches(given: str, etag: str) -> bool:
    """Whether If-None-Match names the entry, packed or not (weak comparison)."""
    if given.strip() == "*":
        return True
    packed = f'{etag[:-1]}-gz"'
    for part in given.split(","):
        candidate = part.strip().removeprefix("W/")
        if candidate in (etag, packed):
            return True
    return False
